// A question about the MQTT clients, from the API's thread to all shards, and their answers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace sluice::gateway {

/// One session; see hub::ClientInfo.
struct ClientRow {
    std::string client;
    std::string address;  ///< "127.0.0.1:40112"; empty: away
    bool online = false;
    std::uint8_t protocol = 0;
    std::uint16_t keep_alive_s = 0;
    std::uint32_t expiry_s = 0;
    double connected_s = 0;
    std::uint64_t messages_in = 0, messages_out = 0;
    std::uint64_t subscriptions = 0, in_flight = 0, queued = 0, queued_bytes = 0;
    std::uint32_t shard = 0;
};

/// Made by the API's thread and shared with the shards, each of which answers once.
class ClientQuery {
public:
    enum class Kind : std::uint8_t { list, kick };

    /// `client`: whom to kick.
    ClientQuery(Kind kind, std::string client, std::size_t shards) : kind_(kind), client_(std::move(client)), open_(shards) {}

    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] const std::string& client() const { return client_; }

    /// A shard's thread. Takes a lock for a moment; the other side never works under it.
    void answer(std::vector<ClientRow>&& rows, bool kicked) {
        {
            const std::lock_guard guard(lock_);
            for (auto& row : rows) rows_.push_back(std::move(row));
            kicked_ = kicked_ || kicked;
            --open_;
        }
        changed_.notify_one();
    }

    /// The API's thread: waits for all shards. False: one did not answer in time; rows() are then those of the others.
    [[nodiscard]] bool wait(std::chrono::milliseconds patience) {
        std::unique_lock guard(lock_);
        return changed_.wait_for(guard, patience, [this] { return open_ == 0; });
    }
    [[nodiscard]] std::vector<ClientRow> take_rows() {
        const std::lock_guard guard(lock_);
        return std::move(rows_);
    }
    [[nodiscard]] bool kicked() {
        const std::lock_guard guard(lock_);
        return kicked_;
    }

private:
    Kind kind_;
    std::string client_;
    std::mutex lock_;
    std::condition_variable changed_;
    std::size_t open_;
    std::vector<ClientRow> rows_;
    bool kicked_ = false;
};

}  // namespace sluice::gateway
