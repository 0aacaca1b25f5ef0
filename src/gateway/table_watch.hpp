// Keeps reference tables as their files are: a thread that looks once a second, and reads what has changed.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "env/file_system.hpp"
#include "env/posix/event_loop.hpp"
#include "gateway/catalog.hpp"

namespace sluice::gateway {

struct TableGauges {
    std::string name;
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
    std::uint64_t loads = 0;     ///< since start, the first included
    std::uint64_t failures = 0;  ///< files that could not be used: the old content stayed
};

/// A file that cannot be used is logged once and counted; what was read before stays. Any thread, except where said.
class TableWatch {
public:
    explicit TableWatch(env::FileSystem& files) : files_(files) {}
    ~TableWatch() { stop(); }
    TableWatch(const TableWatch&) = delete;
    TableWatch& operator=(const TableWatch&) = delete;

    /// These tables from now on, with this content; counts go on. Starts the thread where there is something to look at. The controlling
    /// thread.
    void use(const config::GatewayConfig& config, const LoadedCatalog& loaded);
    /// Loops to wake when there is new content. Before use().
    void wake(std::vector<posix::EventLoop*> loops) { loops_ = std::move(loops); }
    /// The controlling thread.
    void stop();

    /// Another number with each new content.
    [[nodiscard]] std::uint64_t edition() const { return edition_.load(std::memory_order_seq_cst); }
    [[nodiscard]] std::vector<rules::NamedTable> tables() const;
    [[nodiscard]] std::vector<TableGauges> gauges() const;

    /// One look at all files; what the thread does.
    void look();

private:
    struct Watched {
        config::TableConfig config;
        TableContent content;
        env::FileStamp seen;     ///< of the file that was looked at last, good or not
        bool missing = false;    ///< there was none
        bool settled = true;     ///< looked at once more after a change: see FileSystem::stamp
        std::uint64_t hash = 0;  ///< of the bytes that were looked at last
        TableGauges gauges;
    };

    void start();
    void run();
    [[nodiscard]] bool look(Watched& watched, std::size_t bytes_max);
    /// For others to see; `changed`: with new content.
    void publish(bool changed);

    env::FileSystem& files_;
    std::vector<posix::EventLoop*> loops_;
    std::mutex work_;  // held while files are read: of watched_ and its limits
    std::size_t rows_max_ = 0;
    std::size_t bytes_max_ = 0;
    std::vector<Watched> watched_;
    mutable std::mutex lock_;  // held for moments: of what is below
    std::condition_variable stop_;
    bool stopping_ = false;
    std::vector<rules::NamedTable> tables_;
    std::vector<TableGauges> gauges_;
    std::atomic<std::uint64_t> edition_{0};
    std::thread thread_;
};

}  // namespace sluice::gateway
