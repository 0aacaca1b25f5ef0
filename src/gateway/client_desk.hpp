// Where a shard answers questions about its clients, a slice a turn.
#pragma once

#include <memory>
#include <vector>

#include "base/time.hpp"
#include "env/posix/mailbox.hpp"
#include "env/posix/tcp.hpp"
#include "flow/hub/hub.hpp"
#include "gateway/client_query.hpp"

namespace sluice::gateway {

using ClientQueryBox = posix::Mailbox<std::shared_ptr<ClientQuery>>;

/// Owned by one shard, used on its thread.
class ClientDesk final : private hub::ClientVisitor {
public:
    ClientDesk(hub::Hub& hub, const posix::TcpConnections& tcp, std::uint32_t shard) : hub_(hub), tcp_(tcp), shard_(shard) {}

    void wire(ClientQueryBox& questions) { questions_ = &questions; }
    /// Once a turn.
    void work(base::Monotonic now, base::WallTime wall);
    /// There is something to do in the next turn.
    [[nodiscard]] bool busy() const { return query_ != nullptr || !questions_->empty(); }

private:
    /// A hundred nanoseconds each, so well under a millisecond of the shard's time.
    static constexpr std::size_t kPlacesPerTurn = 2000;

    void client(const hub::ClientInfo& info) override;

    hub::Hub& hub_;
    const posix::TcpConnections& tcp_;
    std::uint32_t shard_;
    ClientQueryBox* questions_ = nullptr;
    std::shared_ptr<ClientQuery> query_;  // being answered
    std::uint32_t place_ = 0;
    std::vector<ClientRow> rows_;
    base::Monotonic now_{};
};

}  // namespace sluice::gateway
