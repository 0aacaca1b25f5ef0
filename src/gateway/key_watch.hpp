// The thread that sees to a gateway's master keys: it looks once a second for a new one (`sluice key rotate` makes the file), and removes
// old ones that nothing needs any more.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "env/file_system.hpp"
#include "env/posix/event_loop.hpp"
#include "gateway/key_desk.hpp"
#include "manage/identity/key_files.hpp"

namespace sluice::gateway {

class KeyWatch {
public:
    /// Seals again what no thread of its own does, with the newest key, and reports it to the desk. Called for each edition until true.
    using Reseal = std::function<bool(const identity::KeyRing&)>;

    KeyWatch(env::FileSystem& files, std::string data_directory, KeyDesk& desk, Reseal reseal);
    ~KeyWatch() { stop(); }
    KeyWatch(const KeyWatch&) = delete;
    KeyWatch& operator=(const KeyWatch&) = delete;

    /// `wake`: loops of threads that look at the desk in their turns and may sleep long.
    void start(std::vector<posix::EventLoop*> wake);
    void stop();

    /// One look; what the thread does.
    void look();

private:
    void run();
    void take_new();
    void retire();
    void publish(identity::KeyRing keys);
    /// In the log, once for each key and trouble.
    void say(identity::KeyNumber key, const std::string& what);

    KeyDesk& desk_;
    identity::KeyFiles key_files_;
    Reseal reseal_;
    std::uint64_t resealed_ = 0;  ///< edition
    std::set<std::pair<identity::KeyNumber, std::string>> said_;
    std::vector<posix::EventLoop*> wake_;
    std::mutex lock_;
    std::condition_variable stop_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace sluice::gateway
