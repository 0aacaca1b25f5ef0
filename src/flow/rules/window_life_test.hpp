// For tests of rules that share windows: an engine as a shard leads it, and saved state piece by piece.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "flow/rules/engine.hpp"
#include "flow/rules/saved_windows.hpp"

namespace sluice::rules {

using std::chrono::nanoseconds;

inline std::shared_ptr<const Plan> plan_of(const std::vector<RuleSpec>& specs) {
    const Compiled compiled = compile(specs);
    for (std::size_t i = 0; i < specs.size(); ++i) {
        for (const SqlError& problem : compiled.problems[i])
            EXPECT_EQ(problem.severity, Severity::warning) << specs[i].sql << ": " << problem.message;
    }
    return compiled.plan;
}

struct Given {
    std::string payload;
    base::Monotonic at;
    base::WallTime arrived;
};

/// Saved state, piece by piece: by fingerprints (and key) the bytes of what is not empty.
using Pieces = std::map<std::tuple<std::uint64_t, std::string, std::uint64_t>, std::string>;

struct Record {
    StateRecord kind{};
    std::uint64_t fingerprint = 0;
    std::string key;
    std::vector<std::pair<std::uint64_t, base::ByteView>> entries;  ///< of a window: one
};

inline std::vector<Record> records_of(base::ByteView saved) {
    std::vector<Record> records;
    StateReader reader(saved);
    (void)reader.bytes(14);
    while (!reader.empty()) {
        Record& record = records.emplace_back();
        record.kind = static_cast<StateRecord>(reader.number<base::Byte>());
        StateReader inner(reader.bytes(reader.number<std::uint32_t>()));
        record.fingerprint = inner.number<std::uint64_t>();
        if (record.kind == StateRecord::window) {
            record.entries.emplace_back(0, inner.rest());
            continue;
        }
        record.key = base::as_text(inner.bytes(inner.number<std::uint16_t>()));
        while (!inner.empty()) {
            const auto fingerprint = inner.number<std::uint64_t>();
            record.entries.emplace_back(fingerprint, inner.bytes(inner.number<std::uint32_t>()));
        }
        EXPECT_TRUE(inner.ok() && reader.ok());
    }
    return records;
}

inline void add_pieces(base::ByteView saved, Pieces& pieces) {
    for (const Record& record : records_of(saved)) {
        for (const auto& [fingerprint, bytes] : record.entries) {
            if (std::ranges::all_of(bytes, [](base::Byte byte) { return byte == 0; })) continue;
            if (fingerprint == seen_entry()) continue;
            pieces[{record.fingerprint, record.key, fingerprint}] = base::as_text(bytes);
        }
    }
}

/// What an older version would have saved, in which no rule shared a window: each rule saved for itself, put together as its format says.
inline base::Bytes put_together(const std::vector<base::Bytes>& each) {
    base::Bytes out(each[0].begin(), each[0].begin() + 14);
    std::vector<Record> keys;
    std::map<std::pair<std::uint64_t, std::string>, std::size_t> known;
    for (const base::Bytes& saved : each) {
        for (Record& record : records_of(saved)) {
            if (record.kind == StateRecord::window) {
                RecordWriter writer(out, record.kind);
                base::append_le(out, record.fingerprint);
                base::append(out, record.entries[0].second);
                writer.close();
                continue;
            }
            const auto [at, fresh] = known.try_emplace({record.fingerprint, record.key}, keys.size());
            if (fresh) keys.push_back({record.kind, record.fingerprint, record.key, {}});
            for (const auto& entry : record.entries) {
                auto& all = keys[at->second].entries;
                if (std::ranges::none_of(all, [&](const auto& have) { return have.first == entry.first; })) all.push_back(entry);
            }
        }
    }
    for (const Record& record : keys) {
        RecordWriter writer(out, record.kind);
        base::append_le(out, record.fingerprint);
        base::append_le(out, static_cast<std::uint16_t>(record.key.size()));
        base::append(out, std::string_view(record.key));
        for (const auto& [fingerprint, bytes] : record.entries) append_entry(out, fingerprint, [&] { base::append(out, bytes); });
        writer.close();
    }
    return out;
}

/// An engine as a shard leads it, with a checkpoint and a journal.
class Life final : public Output {
public:
    Life(std::shared_ptr<const Plan> plan, const Engine::Options& options, nanoseconds shift)
        : plan_(std::move(plan)), options_(options), shift_(shift), engine_(std::make_unique<Engine>(plan_, options_)) {}

    void give(const Given& given) {
        with(given, [&](const data::Reading& reading) { (void)engine_->process(reading, kAllPartitions, *this); });
        journal_.push_back({false, given});
    }
    /// Not all that is due need go out at once.
    void end_turn(base::Monotonic now, base::WallTime wall, bool at_once) {
        for (auto due = engine_->next_deadline(); due && *due <= now - shift_; due = at_once ? engine_->next_deadline() : std::nullopt)
            engine_->on_time(now - shift_, wall, *this);
        if (const auto due = engine_->next_deadline(); closed_ == engine_->windows_closed() || (due && *due <= now - shift_)) return;
        closed_ = engine_->windows_closed();
        journal_.push_back({true, {{}, now, wall}});
    }
    void begin_save(base::Monotonic now, base::WallTime wall) {
        saving_ = true;
        cursor_ = {};
        partial_ = {.bytes = {}, .at = now, .wall = wall, .position = journal_.size()};
        go_on_saving(1);  // the state at the first call is what is saved
    }
    void go_on_saving(std::size_t budget) {
        if (!saving_) return;
        saving_ = engine_->save_some(cursor_, budget, partial_.at - shift_, partial_.wall, partial_.bytes);
        if (!saving_) complete_ = partial_;
    }
    base::Bytes save(base::Monotonic now, base::WallTime wall) {
        begin_save(now, wall);
        while (saving_) go_on_saving(100);
        return complete_.bytes;
    }
    /// Another plan, with this state.
    void change(std::shared_ptr<const Plan> plan, const base::Bytes& state, base::Monotonic now, base::WallTime wall) {
        plan_ = std::move(plan);
        engine_ = std::make_unique<Engine>(plan_, options_);
        ASSERT_TRUE(engine_->restore(state, now - shift_, wall));
        closed_ = engine_->windows_closed();
        journal_.clear();
        (void)save(now, wall);
    }
    void die(nanoseconds shift) {
        shift_ = shift;
        saving_ = false;
        engine_ = std::make_unique<Engine>(plan_, options_);
        if (!complete_.bytes.empty()) {
            const auto restored = engine_->restore(complete_.bytes, complete_.at - shift_, complete_.wall);
            ASSERT_TRUE(restored) << base::describe(restored.error());
        }
        for (std::size_t i = complete_.position; i < journal_.size(); ++i) {
            if (journal_[i].time)
                engine_->replay_time(journal_[i].given.at - shift_, journal_[i].given.arrived);
            else
                with(journal_[i].given, [&](const data::Reading& reading) { engine_->replay(reading, {}); });
        }
        engine_->end_replay();
        closed_ = engine_->windows_closed();
    }
    void finish() {
        finishing_ = true;
        engine_->finish(*this);
    }
    [[nodiscard]] Engine& engine() { return *engine_; }
    [[nodiscard]] std::vector<std::string> rows_of(const std::string& id) { return std::exchange(rows_[id], {}); }
    [[nodiscard]] std::string counters_of(const std::string& id) {
        const auto counted = engine_->counters();
        for (std::size_t i = 0; i < counted.size(); ++i) {
            const RuleCounters& c = counted[i];
            if (plan_->rules()[i].id != id) continue;
            std::string text;
            for (const auto& [name, count] : {std::pair{"evaluated", c.evaluated},
                                              {"rows", c.rows},
                                              {"malformed", c.malformed},
                                              {"bad", c.bad_value},
                                              {"late", c.late},
                                              {"full", c.state_full},
                                              {"keys forgotten", c.keys_forgotten},
                                              {"windows forgotten", c.windows_forgotten}})
                text += std::string(name) + " " + std::to_string(count) + ", ";
            return text;
        }
        return "no such rule";
    }
    void emit(const OutputRow& row) override {
        rows_[plan_->rules()[row.rule].id].push_back(
            std::string(base::as_text(row.json)) + " " + std::to_string(row.made.time_since_epoch().count()) + " " +
            (row.reading == nullptr ? "by time " : "") +
            // What is put out at the end belongs to the last reading that this engine has seen: after a replay, its checkpoint's age
            // decides.
            (finishing_ && row.reading == nullptr ? "" : std::to_string((row.at + shift_).time_since_epoch().count())));
    }
    void forward(data::ShardIndex, PartitionMask, const data::Reading&) override { ADD_FAILURE() << "one shard"; }

private:
    struct Entry {
        bool time = false;
        Given given;
    };
    struct Saved {
        base::Bytes bytes;
        base::Monotonic at{};
        base::WallTime wall{};
        std::size_t position = 0;
    };
    template <class Call>
    void with(const Given& given, Call call) {
        base::Bytes payload(given.payload.begin(), given.payload.end());
        payload.resize(payload.size() + data::kReadablePadding);
        call(data::Reading{.topic = "t",
                           .payload = base::ByteView(payload).first(given.payload.size()),
                           .client = "c",
                           .arrived = given.arrived,
                           .at = given.at - shift_});
    }

    std::shared_ptr<const Plan> plan_;
    Engine::Options options_;
    nanoseconds shift_;
    bool finishing_ = false;
    std::unique_ptr<Engine> engine_;
    std::vector<Entry> journal_;
    std::uint64_t closed_ = 0;
    Saved complete_;
    Saved partial_;
    SaveCursor cursor_;
    bool saving_ = false;
    std::map<std::string, std::vector<std::string>> rows_;
};

}  // namespace sluice::rules
