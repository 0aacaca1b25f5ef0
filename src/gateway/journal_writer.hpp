// Writes the journal of rule state on a thread of its own, so that its sync and that of the events go on at the same time: an acknowledgement
// waits for the longer of the two.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "gateway/state_journal.hpp"

namespace sluice::gateway {

/// Of one thread, the journal's. Between begin() and wait() the journal is not touched.
class JournalWriter {
public:
    explicit JournalWriter(StateJournal& journal) : journal_(journal) {}
    ~JournalWriter();
    JournalWriter(const JournalWriter&) = delete;
    JournalWriter& operator=(const JournalWriter&) = delete;

    /// StateJournal::write() begins.
    void begin();
    /// What it said.
    base::Status wait();

private:
    void run();

    StateJournal& journal_;
    std::mutex lock_;
    std::condition_variable changed_;
    bool wanted_ = false;
    bool stopping_ = false;
    std::optional<base::Status> done_;
    std::thread thread_;  ///< made when it is first needed
};

}  // namespace sluice::gateway
