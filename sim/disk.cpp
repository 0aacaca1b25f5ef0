#include "sim/disk.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace sluice::sim {
namespace {

using base::Errc;
using base::Error;
using base::Result;
using base::Status;

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

/// One unsynced write or (bytes empty) change of size.
struct Unsynced {
    std::uint64_t offset;
    base::Bytes bytes;
    bool resize = false;
};

struct SimDisk::Node {
    base::Bytes cached;   ///< as processes see it
    base::Bytes durable;  ///< as the medium has it
    std::vector<Unsynced> unsynced;
    std::uint64_t reserved = 0;
    std::uint64_t number = 0;  ///< of the file, never used again
    std::int64_t writes = 0;
    [[nodiscard]] std::uint64_t allocated() const { return std::max<std::uint64_t>(cached.size(), reserved); }
};

/// One unsynced creation (node, no `from`), removal (no node) or renaming (node and `from`).
struct SimDisk::DirectoryChange {
    std::string path;
    std::shared_ptr<Node> node;
    std::string from;
};

class SimDisk::SimFile final : public env::File {
public:
    SimFile(SimDisk& disk, std::shared_ptr<Node> node, bool writable)
        : disk_(disk), node_(std::move(node)), life_(disk.life_), writable_(writable) {}

    Status write_at(std::uint64_t offset, base::ByteView bytes) override {
        if (dead()) return Error{Errc::io};
        if (!writable_) return Error{Errc::io, EBADF};
        const Verdict verdict = disk_.begin(Kind::write, true);
        if (verdict.error) {
            const bool part = verdict.takes_effect && !bytes.empty();
            if (part) put(offset, bytes.first(disk_.random_.below(bytes.size() + 1)));
            return *verdict.error;
        }
        if (disk_.full_ || !disk_.fits(*node_, offset + bytes.size())) return Error{Errc::disk_full, ENOSPC};
        put(offset, bytes);
        return {};
    }

    Result<std::size_t> read_at(std::uint64_t offset, std::span<base::Byte> out) override {
        if (dead()) return Error{Errc::io};
        if (const Verdict verdict = disk_.begin(Kind::read, false); verdict.error) return *verdict.error;
        const base::Bytes& from = node_->cached;
        if (offset >= from.size()) return std::size_t{0};
        const std::size_t count = std::min<std::size_t>(out.size(), from.size() - offset);
        std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
        return count;
    }

    Status sync() override {
        if (dead()) return Error{Errc::io};
        const Verdict verdict = disk_.begin(Kind::sync, true);
        if (verdict.error) {
            // Once failed, never written: the pages count as clean, later syncs succeed without them.
            if (verdict.takes_effect) disk_.settle(*node_);
            return *verdict.error;
        }
        ++disk_.counts_.syncs;
        for (const Unsynced& write : node_->unsynced) {
            if (write.resize) {
                node_->durable.resize(write.offset);
                continue;
            }
            disk_.put_down(*node_, write.offset, write.bytes);
        }
        node_->unsynced.clear();
        return {};
    }

    Status reserve(std::uint64_t size) override {
        if (dead()) return Error{Errc::io};
        if (const Verdict verdict = disk_.begin(Kind::other, true); verdict.error) return *verdict.error;
        if (!disk_.fits(*node_, size)) return Error{Errc::disk_full, ENOSPC};
        node_->reserved = std::max(node_->reserved, size);
        return {};
    }

    Status truncate(std::uint64_t size) override {
        if (dead()) return Error{Errc::io};
        const Verdict verdict = disk_.begin(Kind::other, true);
        if (verdict.error && !verdict.takes_effect) return *verdict.error;
        if (!disk_.fits(*node_, size)) return Error{Errc::disk_full, ENOSPC};
        ++node_->writes;
        node_->cached.resize(size);
        node_->reserved = size;
        node_->unsynced.push_back({size, {}, true});
        if (verdict.error) return *verdict.error;
        return {};
    }

    [[nodiscard]] Result<std::uint64_t> size() const override {
        if (dead()) return Error{Errc::io};
        return std::uint64_t{node_->cached.size()};
    }

private:
    [[nodiscard]] bool dead() const { return life_ != disk_.life_ || disk_.off_; }

    void put(std::uint64_t offset, base::ByteView bytes) {
        if (bytes.empty()) return;
        ++node_->writes;
        base::Bytes& cached = node_->cached;
        if (cached.size() < offset + bytes.size()) cached.resize(offset + bytes.size());
        std::copy(bytes.begin(), bytes.end(), cached.begin() + static_cast<std::ptrdiff_t>(offset));
        node_->unsynced.push_back({offset, base::Bytes(bytes.begin(), bytes.end()), false});
        disk_.counts_.bytes_written += bytes.size();
        ++disk_.counts_.writes;
    }

    SimDisk& disk_;
    std::shared_ptr<Node> node_;
    std::uint64_t life_;
    bool writable_;
};

class SimDisk::SimLock final : public env::FileLock {
public:
    SimLock(SimDisk& disk, std::string path) : disk_(disk), path_(std::move(path)), life_(disk.life_) {}
    ~SimLock() override {
        if (life_ == disk_.life_) disk_.locked_.erase(path_);
    }
    SimLock(const SimLock&) = delete;
    SimLock& operator=(const SimLock&) = delete;

private:
    SimDisk& disk_;
    std::string path_;
    std::uint64_t life_;
};

SimDisk::SimDisk(std::uint64_t seed) : random_(seed) { directories_ = {"/", "."}; }
SimDisk::~SimDisk() = default;

SimDisk::Verdict SimDisk::begin(Kind kind, bool changes) {
    ++counts_.operations;
    if (off_) return {Error{Errc::io}, false};
    if (counts_.operations == crash_at_) {
        off_ = true;
        // A sync that a process does not live to see changes nothing.
        const bool takes_effect = random_.chance(1, 2);
        return {Error{Errc::io}, takes_effect && !(kill_ && kind == Kind::sync)};
    }
    if (counts_.operations == fail_at_.first) return {Error{fail_at_.second}, kind == Kind::write || kind == Kind::sync};
    if (dead_ && changes) return {Error{Errc::io, EIO}, kind == Kind::sync};
    std::uint32_t rate = faults_.other;
    if (kind == Kind::write) rate = faults_.write;
    if (kind == Kind::read) rate = faults_.read;
    if (kind == Kind::sync) rate = faults_.sync;
    if (rate != 0 && random_.chance(rate, 1'000'000)) {
        if (kind == Kind::read) ++counts_.failed_reads;
        return {Error{Errc::io, EIO}, kind == Kind::write || kind == Kind::sync};
    }
    return {};
}

void SimDisk::put_down(Node& node, std::uint64_t offset, base::ByteView bytes) {
    // The file grows as it should (that is the file system's doing); the bytes are the medium's.
    if (node.durable.size() < offset + bytes.size()) node.durable.resize(offset + bytes.size());
    base::Bytes* medium = &node.durable;
    if (faults_.misdirected != 0 && random_.chance(faults_.misdirected, 1'000'000)) {
        ++counts_.misdirected;
        if (random_.chance(1, 2)) {
            auto other = durable_.begin();
            std::advance(other, static_cast<std::ptrdiff_t>(random_.below(durable_.size() + 1)));
            if (other != durable_.end()) medium = &other->second->durable;
        }
        offset = random_.below(medium->size() / kSectorBytes + 1) * kSectorBytes;
        if (offset >= medium->size()) return;  // somewhere that is no file's
        bytes = bytes.first(std::min<std::size_t>(bytes.size(), medium->size() - offset));
    }
    std::copy(bytes.begin(), bytes.end(), medium->begin() + static_cast<std::ptrdiff_t>(offset));
}

void SimDisk::rot() {
    if (durable_.empty()) return;
    auto entry = durable_.begin();
    std::advance(entry, static_cast<std::ptrdiff_t>(random_.below(durable_.size())));
    Node& node = *entry->second;
    if (node.durable.empty()) return;
    const std::size_t at = random_.below(node.durable.size());
    const auto bit = static_cast<base::Byte>(1U << random_.below(8));
    node.durable[at] ^= bit;
    if (at < node.cached.size()) node.cached[at] ^= bit;
}

void SimDisk::replace_medium() {
    kill_process();
    entries_.clear();
    durable_.clear();
    changes_.clear();
    modes_.clear();
    directories_ = {"/", "."};
}

void SimDisk::forget_cache() {
    for (const auto& [path, node] : entries_)
        if (node->unsynced.empty()) node->cached = node->durable;
}

std::uint64_t SimDisk::bytes_used() const {
    std::uint64_t used = 0;
    for (const auto& [path, node] : entries_) used += node->allocated();
    return used;
}

bool SimDisk::fits(const Node& node, std::uint64_t size) const {
    if (bytes_max_ == UINT64_MAX || size <= node.allocated()) return true;
    return bytes_used() + (size - node.allocated()) <= bytes_max_;
}

Result<std::unique_ptr<env::File>> SimDisk::open(const std::string& path, env::OpenMode mode) {
    const bool creates = mode == env::OpenMode::create_new;
    const Verdict verdict = begin(Kind::other, creates);
    if (verdict.error && !(creates && verdict.takes_effect)) return *verdict.error;
    if (directories_.contains(path)) return Error{Errc::io, EISDIR};
    if (!directories_.contains(parent_of(path))) return Error{Errc::not_found, ENOENT};
    const auto found = entries_.find(path);
    if (creates) {
        if (found != entries_.end()) return Error{Errc::exists, EEXIST};
        auto node = make_node();
        entries_[path] = node;
        changes_.push_back({path, node, {}});
        if (verdict.error) return *verdict.error;
        return std::unique_ptr<env::File>(std::make_unique<SimFile>(*this, std::move(node), true));
    }
    if (found == entries_.end()) return Error{Errc::not_found, ENOENT};
    return std::unique_ptr<env::File>(std::make_unique<SimFile>(*this, found->second, mode == env::OpenMode::read_write));
}

Status SimDisk::rename(const std::string& from, const std::string& to) {
    const Verdict verdict = begin(Kind::other, true);
    if (verdict.error && !verdict.takes_effect) return *verdict.error;
    const auto found = entries_.find(from);
    if (found == entries_.end() || !directories_.contains(parent_of(to))) return Error{Errc::not_found, ENOENT};
    auto node = found->second;
    entries_.erase(found);
    entries_[to] = node;
    changes_.push_back({to, std::move(node), from});
    if (verdict.error) return *verdict.error;
    return {};
}

Status SimDisk::remove(const std::string& path) {
    const Verdict verdict = begin(Kind::other, true);
    if (verdict.error && !verdict.takes_effect) return *verdict.error;
    if (entries_.erase(path) == 0) return Error{Errc::not_found, ENOENT};
    changes_.push_back({path, nullptr, {}});
    if (verdict.error) return *verdict.error;
    return {};
}

Status SimDisk::make_directory(const std::string& path) {
    if (const Verdict verdict = begin(Kind::other, true); verdict.error) return *verdict.error;
    for (std::string folder = path; !directories_.contains(folder); folder = parent_of(folder)) {
        if (entries_.contains(folder)) return Error{Errc::io, ENOTDIR};
        directories_.insert(folder);
    }
    return {};
}

Status SimDisk::sync_directory(const std::string& path) {
    if (const Verdict verdict = begin(Kind::other, true); verdict.error) return *verdict.error;
    if (!directories_.contains(path)) return Error{Errc::not_found, ENOENT};
    ++counts_.directory_syncs;
    std::vector<DirectoryChange> others;
    for (DirectoryChange& change : changes_) {
        if (parent_of(change.path) != path) {
            others.push_back(std::move(change));
            continue;
        }
        if (!change.from.empty()) durable_.erase(change.from);
        if (change.node) durable_[change.path] = change.node;
        if (!change.node) durable_.erase(change.path);
    }
    changes_ = std::move(others);
    return {};
}

Result<std::vector<std::string>> SimDisk::list(const std::string& path) {
    if (const Verdict verdict = begin(Kind::other, false); verdict.error) return *verdict.error;
    if (!directories_.contains(path)) return Error{Errc::not_found, ENOENT};
    std::vector<std::string> names;
    const auto add = [&](const std::string& entry) {
        if (entry != path && parent_of(entry) == path) names.push_back(entry.substr(entry.rfind('/') + 1));
    };
    for (const auto& [entry, node] : entries_) add(entry);
    for (const std::string& directory : directories_) add(directory);
    std::sort(names.begin(), names.end());
    return names;
}

Result<std::unique_ptr<env::FileLock>> SimDisk::lock(const std::string& path) {
    if (const Verdict verdict = begin(Kind::other, true); verdict.error) return *verdict.error;
    if (!directories_.contains(parent_of(path))) return Error{Errc::not_found, ENOENT};
    if (!locked_.insert(path).second) return Error{Errc::in_use, EWOULDBLOCK};
    if (!entries_.contains(path)) {
        auto node = make_node();
        entries_[path] = node;
        changes_.push_back({path, std::move(node), {}});
    }
    return std::unique_ptr<env::FileLock>(std::make_unique<SimLock>(*this, path));
}

Result<unsigned> SimDisk::permissions(const std::string& path) {
    if (const Verdict verdict = begin(Kind::other, false); verdict.error) return *verdict.error;
    if (directories_.contains(path)) return 0700U;
    if (!entries_.contains(path)) return Error{Errc::not_found, ENOENT};
    const auto found = modes_.find(path);
    return found == modes_.end() ? 0600U : found->second;
}

std::shared_ptr<SimDisk::Node> SimDisk::make_node() {
    auto node = std::make_shared<Node>();
    node->number = ++files_made_;
    return node;
}

Result<env::FileStamp> SimDisk::stamp(const std::string& path) {
    if (const Verdict verdict = begin(Kind::other, false); verdict.error) return *verdict.error;
    const auto found = entries_.find(path);
    if (found == entries_.end()) return Error{Errc::not_found, ENOENT};
    const Node& node = *found->second;
    return env::FileStamp{.file = node.number, .size = node.cached.size(), .written = node.writes};
}

void SimDisk::kill_process() {
    ++life_;
    locked_.clear();
    off_ = false;
    crash_at_ = 0;
}

/// Of each unsynced write: nothing, all, or each sector by itself: old, new or garbage. Whether a file grew without its bytes is open too.
void SimDisk::settle(Node& node) {
    const std::uint64_t mode = random_.below(4);  // 0: all lost, 1: all kept, else: sector by sector
    base::Bytes& medium = node.durable;
    for (const Unsynced& write : node.unsynced) {
        if (write.resize) {
            if (mode == 1 || (mode != 0 && random_.chance(1, 2))) medium.resize(write.offset);
            continue;
        }
        const std::uint64_t end = write.offset + write.bytes.size();
        if (mode >= 2 && random_.chance(1, 4) && medium.size() < end) medium.resize(end);
        for (std::uint64_t at = write.offset; at < end;) {
            const std::uint64_t sector_end = std::min(end, (at / kSectorBytes + 1) * kSectorBytes);
            const bool kept = mode == 1 || (mode != 0 && random_.chance(1, 2));
            if (kept) {
                if (medium.size() < sector_end) medium.resize(sector_end);
                const bool garbled = mode >= 2 && random_.chance(1, 8);
                for (std::uint64_t byte = at; byte < sector_end; ++byte)
                    medium[byte] = garbled ? static_cast<base::Byte>(random_.next()) : write.bytes[byte - write.offset];
            }
            at = sector_end;
        }
    }
    node.unsynced.clear();
}

void SimDisk::settle_entries() {
    const std::uint64_t mode = random_.below(3);  // 0: none, 1: a prefix, 2: any that is possible
    const std::size_t prefix = changes_.empty() ? 0 : random_.below(changes_.size() + 1);
    for (std::size_t i = 0; i < changes_.size(); ++i) {
        const DirectoryChange& change = changes_[i];
        const bool applies = (mode == 1 && i < prefix) || (mode == 2 && random_.chance(1, 2));
        if (!applies) continue;
        if (change.node == nullptr) {
            durable_.erase(change.path);
        } else if (change.from.empty()) {
            durable_[change.path] = change.node;
        } else if (const auto found = durable_.find(change.from); found != durable_.end() && found->second == change.node) {
            durable_.erase(found);
            durable_[change.path] = change.node;
        }
    }
    changes_.clear();
}

void SimDisk::crash() {
    ++counts_.crashes;
    std::set<Node*> settled;
    const auto settle_all = [&](const Entries& entries) {
        for (const auto& [path, node] : entries)
            if (settled.insert(node.get()).second) settle(*node);
    };
    settle_all(entries_);
    settle_all(durable_);
    settle_entries();
    for (const auto& [path, node] : durable_) {
        if (settled.insert(node.get()).second) settle(*node);
        node->cached = node->durable;
        node->reserved = std::min<std::uint64_t>(node->reserved, node->durable.size());
    }
    entries_ = durable_;
    kill_process();
    fail_at_.first = 0;
}

std::optional<base::Bytes> SimDisk::contents(const std::string& path) const {
    const auto found = entries_.find(path);
    if (found == entries_.end()) return std::nullopt;
    return found->second->cached;
}

void SimDisk::overwrite(const std::string& path, base::Bytes bytes) {
    auto& node = entries_[path];
    if (!node) node = make_node();
    durable_[path] = node;
    ++node->writes;
    node->unsynced.clear();
    node->durable = bytes;
    node->cached = std::move(bytes);
}

std::vector<std::string> SimDisk::paths() const {
    std::vector<std::string> paths;
    for (const auto& [path, node] : entries_) paths.push_back(path);
    return paths;
}

}  // namespace sluice::sim
