#include "gateway/key_watch.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "env/posix/signals_blocked.hpp"

namespace sluice::gateway {
namespace {

constexpr std::chrono::seconds kLookEvery{1};

}  // namespace

KeyWatch::KeyWatch(env::FileSystem& files, std::string data_directory, KeyDesk& desk, Reseal reseal)
    : desk_(desk), key_files_(files, std::move(data_directory)), reseal_(std::move(reseal)) {}

void KeyWatch::start(std::vector<posix::EventLoop*> wake) {
    wake_ = std::move(wake);
    const posix::SignalsBlocked for_new_threads;
    thread_ = std::thread([this] { run(); });
}

void KeyWatch::stop() {
    {
        const std::lock_guard guard(lock_);
        stopping_ = true;
    }
    stop_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void KeyWatch::run() {
    for (;;) {
        look();
        std::unique_lock guard(lock_);
        if (stop_.wait_for(guard, kLookEvery, [this] { return stopping_; })) return;
    }
}

void KeyWatch::look() {
    take_new();
    const std::uint64_t edition = desk_.edition();
    if (resealed_ != edition && reseal_(*desk_.keys())) resealed_ = edition;
    retire();
}

void KeyWatch::take_new() {
    const auto there = key_files_.numbers();
    if (!there) return say(0, fmt::format("the folder cannot be read: {}", base::describe(there.error())));
    const auto known = desk_.keys();
    for (const identity::KeyNumber number : known->numbers()) {
        if (std::find(there->begin(), there->end(), number) == there->end())
            say(number, "the file is gone; what needs it is lost with the next restart: put it back from a copy");
    }
    const bool fresh = std::any_of(there->begin(), there->end(), [&known](auto number) { return known->find(number) == nullptr; });
    if (!fresh) return;
    auto loaded = key_files_.open();
    if (!loaded) return say(key_files_.culprit(), fmt::format("not taken: {}", base::describe(loaded.error())));
    // Of one whose file is gone what is in memory goes on to open and, if it is the newest, to seal.
    identity::KeyRing keys = std::move(*loaded);
    for (const identity::KeyNumber number : known->numbers())
        if (keys.find(number) == nullptr) keys.add(number, *known->find(number));
    const identity::KeyNumber newest = keys.newest();
    if (newest != known->newest())
        spdlog::info("keys: key {} seals from now on; what is under older ones drains or is sealed again", newest);
    publish(std::move(keys));
}

void KeyWatch::retire() {
    for (const identity::KeyNumber number : desk_.idle()) {
        const auto removed = key_files_.remove(number);
        if (!removed && removed.error().code != base::Errc::not_found)
            return say(number, fmt::format("no longer needed, but it cannot be removed: {}", base::describe(removed.error())));
        identity::KeyRing keys = *desk_.keys();
        keys.remove(number);
        spdlog::info("keys: key {} is no longer needed: {} removed", number, identity::key_file(number));
        publish(std::move(keys));
    }
}

void KeyWatch::publish(identity::KeyRing keys) {
    desk_.publish(std::move(keys));
    for (posix::EventLoop* loop : wake_) loop->wake();
}

void KeyWatch::say(identity::KeyNumber key, const std::string& what) {
    if (!said_.emplace(key, what).second) return;
    if (key == 0) return spdlog::error("keys: {}", what);
    spdlog::error("keys: key {} ({}): {}", key, identity::key_file(key), what);
}

}  // namespace sluice::gateway
