// Who may come in: gateways, each under its own id, with its certificate, its token, or from this machine.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flow/hub/ports.hpp"

namespace sluice::cloud {

struct Token {
    std::string gateway;
    std::string token;
};

/// Hears of those that stay outside.
class RefusalListener {
public:
    virtual ~RefusalListener() = default;
    /// Views are valid during the call.
    virtual void on_refused(hub::ConnectionId who, std::string_view client, std::string_view why) = 0;
};

/// A client is a gateway: its client id is `gw:<id>`, its user name `<id>`. A certificate decides alone: its name is the id, or it stays
/// outside. Without one: a gateway with an entry in `tokens` must show one of its tokens, from anywhere; one without may come from a
/// loopback address, or from anywhere if `anonymous`. It may publish under `$sluice/v1/<id>/` and
/// subscribe to nothing. The hub's thread.
class Admission final : public hub::Authenticator {
public:
    Admission(std::vector<Token> tokens, bool anonymous) : tokens_(std::move(tokens)), anonymous_(anonymous) {}
    /// `listener` outlives it.
    void tell(RefusalListener& listener) { listener_ = &listener; }
    std::optional<hub::Admission> authenticate(const hub::Credentials& credentials) override;
    bool may_publish(const hub::Client& client, std::string_view topic) override;
    bool may_subscribe(const hub::Client& client, std::string_view filter) override;

private:
    struct Verdict {
        mqtt::ReasonCode reason;
        std::string_view why{};  ///< of a refusal, for the log
    };
    [[nodiscard]] Verdict judge(const hub::Credentials& credentials) const;

    RefusalListener* listener_ = nullptr;
    std::vector<Token> tokens_;
    bool anonymous_;
};

}  // namespace sluice::cloud
