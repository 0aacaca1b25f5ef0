// A life of a spool under faults, chosen by a seed, against a model that remembers everything.
#pragma once

#include <array>
#include <map>
#include <set>
#include <string>

#include "sim/spool_rig.hpp"

namespace sluice::sim {

/// Runs append, commit, read, acknowledge, maintain, crash, kill and reopen in random order on a disk with faults, and a cloud that takes
/// each number once. Keys are rotated meanwhile, and those that the spool does not need are taken away at once. Checks after every step
/// what DESIGN promises; problem() says what broke, empty if nothing did.
class SpoolModel {
public:
    explicit SpoolModel(std::uint64_t seed);

    /// Steps, then a repaired disk, a last restart and a full drain.
    void run(unsigned steps);
    [[nodiscard]] const std::string& problem() const { return problem_; }

    /// What happened, to see that the test tests something.
    struct Counts {
        std::uint64_t commits = 0;
        std::uint64_t failed_commits = 0;
        std::uint64_t crashes = 0;
        std::uint64_t kills = 0;
        std::uint64_t stored = 0;
        std::uint64_t resent = 0;
        std::uint64_t dropped = 0;
        std::uint64_t corrupt = 0;
        std::uint64_t failed_opens = 0;
        std::uint64_t rotations = 0;
        std::uint64_t retired = 0;  ///< keys
    };
    [[nodiscard]] const Counts& counts() const { return counts_; }

private:
    struct Content {
        std::string rule;
        std::string json;
        friend bool operator==(const Content&, const Content&) = default;
    };
    struct ClassModel {
        std::map<std::uint64_t, Content> appended;  ///< the latest with each number
        std::uint64_t safe = 0;                     ///< up to here commit() reported durable, or recovery found it
        std::set<std::uint64_t> never_safe;         ///< found by recovery, never reported durable: may be the victim of a torn write
        std::map<std::uint64_t, Content> seen;      ///< what any reader ever saw: fixed for ever
        std::map<std::uint64_t, base::DropReason> told;
        std::uint64_t cloud_next = 1;  ///< the cloud takes numbers from here on
        std::map<std::uint64_t, Content> cloud;
        std::uint64_t sent = 1;      ///< where the uplink reads next
        std::uint64_t reported = 0;  ///< last number that append() gave
    };

    void step();
    void append_some();
    void commit();
    void upload(std::size_t index, bool ack_arrives);
    void restart(bool power_cut);
    void reopen();
    void tend_keys();
    void check_stats(const char* after);
    void fail(const std::string& what);
    void drain();
    void final_checks();
    Content make_content(std::size_t index);

    static constexpr std::size_t kClasses = 3;
    Random random_;
    Random key_random_;  ///< of its own: what else a seed means stays
    SpoolRig rig_;
    std::array<ClassModel, kClasses> models_;
    std::string problem_;
    Counts counts_;
    std::uint64_t next_payload_ = 0;
    /// No space for a manifest: files go first, and a cut before the gap is saved leaves a hole that is called corrupt
    /// (docs/formats/spool.md, "Order of writes"). Only where space ran out and other calls failed too.
    bool space_short_ = false;
    bool calls_failed_ = false;
};

}  // namespace sluice::sim
