#include "gateway/table_watch.hpp"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "env/posix/signals_blocked.hpp"

namespace sluice::gateway {
namespace {

constexpr std::chrono::seconds kLookEvery{1};

/// A column of CSV that is gone was probably renamed by mistake, and rules may name it.
const std::string* column_gone(const rules::FileTable& before, const rules::FileTable& now) {
    for (const std::string& column : before.columns()) {
        if (std::find(now.columns().begin(), now.columns().end(), column) == now.columns().end()) return &column;
    }
    return nullptr;
}

}  // namespace

void TableWatch::use(const config::GatewayConfig& config, const LoadedCatalog& loaded) {
    const std::lock_guard guard(work_);
    const std::vector<Watched> before = std::exchange(watched_, {});
    rows_max_ = config.limits.table_rows;
    bytes_max_ = config.limits.table_bytes;
    for (std::size_t i = 0; i < config.tables.size(); ++i) {
        const TableContent& content = loaded.tables[i];
        Watched& watched = watched_.emplace_back();
        watched.config = config.tables[i];
        watched.content = content;
        watched.seen = content.stamp;
        watched.hash = content.text_hash;
        watched.settled = false;
        const auto known =
            std::find_if(before.begin(), before.end(), [&](const Watched& each) { return each.config.name == watched.config.name; });
        if (known != before.end()) watched.gauges = known->gauges;
        watched.gauges.name = watched.config.name.value;
        if (known == before.end() || known->hash != content.text_hash) ++watched.gauges.loads;
    }
    publish(true);
    if (!config.tables.empty() && !thread_.joinable()) start();
}

void TableWatch::start() {
    const posix::SignalsBlocked for_new_threads;
    thread_ = std::thread([this] { run(); });
}

void TableWatch::stop() {
    {
        const std::lock_guard guard(lock_);
        stopping_ = true;
    }
    stop_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void TableWatch::run() {
    for (;;) {
        {
            std::unique_lock guard(lock_);
            if (stop_.wait_for(guard, kLookEvery, [this] { return stopping_; })) return;
        }
        look();
    }
}

void TableWatch::look() {
    const std::lock_guard guard(work_);
    std::size_t left = bytes_max_;
    for (const Watched& watched : watched_) left -= std::min(left, watched.content.table->bytes());
    bool changed = false;
    for (Watched& watched : watched_) {
        const std::size_t room = left + watched.content.table->bytes();
        changed = look(watched, room) || changed;
        left = room - std::min(room, watched.content.table->bytes());
    }
    publish(changed);
}

/// True: it has new content.
bool TableWatch::look(Watched& watched, std::size_t bytes_max) {
    const std::string& path = watched.config.file.value;
    const auto stamp = files_.stamp(path);
    if (!stamp) {
        if (watched.missing) return false;
        watched.missing = true;
        ++watched.gauges.failures;
        spdlog::error("table {}: {}: {}; it keeps the content it had", watched.gauges.name, path, base::describe(stamp.error()));
        return false;
    }
    if (*stamp == watched.seen && watched.settled && !watched.missing) return false;
    watched.settled = *stamp == watched.seen;
    watched.missing = false;
    TableContent content = read_table(watched.config, rows_max_, bytes_max, files_);
    const bool same = content.text_hash == watched.hash;
    watched.seen = content.table != nullptr || content.text_hash != 0 ? content.stamp : *stamp;
    watched.hash = content.text_hash;
    if (same) return false;
    if (content.table != nullptr && rules::table_form(path) == rules::TableForm::csv) {
        if (const std::string* gone = column_gone(*watched.content.table, *content.table)) {
            content.problem = {.message = fmt::format("the column {} is gone; `sluice reload` checks the rules anew", *gone)};
            content.table = nullptr;
        }
    }
    if (content.table == nullptr) {
        ++watched.gauges.failures;
        spdlog::error("table {}: {}:{}:{}: {}; it keeps the content it had", watched.gauges.name, path, content.problem.line,
                      content.problem.column, content.problem.message);
        return false;
    }
    ++watched.gauges.loads;
    watched.content = std::move(content);
    spdlog::info("table {}: {} rows of {}", watched.gauges.name, watched.content.table->rows(), path);
    return true;
}

void TableWatch::publish(bool changed) {
    std::vector<rules::NamedTable> tables;
    std::vector<TableGauges> gauges;
    for (const Watched& watched : watched_) {
        const rules::FileTable& table = *watched.content.table;
        tables.push_back({.name = watched.gauges.name, .table = watched.content.table});
        gauges.push_back(watched.gauges);
        gauges.back().rows = table.rows();
        gauges.back().bytes = table.bytes();
    }
    {
        const std::lock_guard guard(lock_);
        tables_.swap(tables);
        gauges_.swap(gauges);
        if (changed) edition_.fetch_add(1, std::memory_order_seq_cst);  // who sees the gauges sees the edition
    }
    if (!changed) return;
    for (posix::EventLoop* loop : loops_) loop->wake();
}

std::vector<rules::NamedTable> TableWatch::tables() const {
    const std::lock_guard guard(lock_);
    return tables_;
}

std::vector<TableGauges> TableWatch::gauges() const {
    const std::lock_guard guard(lock_);
    return gauges_;
}

}  // namespace sluice::gateway
