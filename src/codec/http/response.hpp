// Answers of HTTP/1.1 (RFC 9112), read from a stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.hpp"

namespace sluice::http {

struct Response {
    std::uint16_t status = 0;                           ///< 200 to 599: interim answers are skipped
    bool keep_alive = false;                            ///< another request may follow on this connection
    std::optional<std::chrono::seconds> retry_after{};  ///< of `Retry-After` in seconds; a date is not read
};

/// One thread. Reads answers one after the other; bodies are skipped.
class ResponseReader {
public:
    /// A longer head, or a body longer than this, is an error.
    static constexpr std::uint32_t kHeadBytesMax = 16 * 1024;
    static constexpr std::uint64_t kBodyBytesMax = 1024 * 1024;

    ResponseReader();
    ~ResponseReader();
    ResponseReader(const ResponseReader&) = delete;
    ResponseReader& operator=(const ResponseReader&) = delete;

    /// A request has been sent. `head`: with the method HEAD, so that no body follows whatever the headers say.
    void expect(bool head);

    enum class Status : std::uint8_t { incomplete, complete, malformed };
    struct Step {
        Status status;
        std::size_t used;  ///< of `in`; the rest is shown again with more behind it
    };
    /// After `complete` the answer is in response(), and expect() comes before the next call.
    Step read(base::ByteView in);
    /// The stream has ended: that ends a body without a length too. True: the answer was complete.
    bool end();
    [[nodiscard]] const Response& response() const { return response_; }

private:
    struct Parser;
    void take();
    std::unique_ptr<Parser> parser_;
    bool head_ = false;
    Response response_;
};

}  // namespace sluice::http
