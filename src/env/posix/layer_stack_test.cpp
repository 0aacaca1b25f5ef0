#include "env/posix/layer_stack.hpp"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace sluice::posix {
namespace {

using State = StreamLayer::State;

/// Puts a letter in front of what it sends and takes it off what comes. The lowest obeys 'E', 'F' and 'P', the uppermost answers '?'.
class Letter final : public StreamLayer {
public:
    Letter(char letter, bool lowest, bool uppermost) : letter_(letter), lowest_(lowest), uppermost_(uppermost) {}
    [[nodiscard]] Kind kind() const override { return Kind::websocket; }
    State receive(base::ByteView in, base::Bytes& up, base::Bytes& down) override {
        for (const char each : base::as_text(in)) {
            if (each == letter_) {
                state_ = State::open;
            } else if (uppermost_ && each == '?') {
                base::append(down, "!");
            } else if (lowest_ && each == 'E') {
                state_ = State::ended;
            } else if (lowest_ && each == 'F') {
                state_ = State::failed;
                base::append(down, "bad");
            } else if (lowest_ && each == 'P') {
                state_ = State::passed;
            } else {
                up.push_back(static_cast<base::Byte>(each));
            }
        }
        return state_;
    }
    void begin(base::Bytes& down) override { base::append(down, "hi"); }
    void send(base::ByteView plain, base::Bytes& down) override {
        down.push_back(static_cast<base::Byte>(letter_));
        base::append(down, plain);
    }
    void finish(base::Bytes& down) override { base::append(down, "bye"); }
    [[nodiscard]] std::string_view failure() const override { return "on purpose"; }

private:
    char letter_;
    bool lowest_;
    bool uppermost_;
    State state_ = State::opening;
};

class Layers : public testing::Test {
protected:
    static std::vector<std::unique_ptr<StreamLayer>> letters(const std::string& which) {
        std::vector<std::unique_ptr<StreamLayer>> out;
        for (const char& each : which) out.push_back(std::make_unique<Letter>(each, &each == &which.front(), &each == &which.back()));
        return out;
    }
    std::string give(LayerStack& stack, const std::string& bytes) {
        base::Bytes plain;
        events.clear();
        stack.receive(base::as_bytes(bytes), plain, events);
        return std::string(base::as_text(plain));
    }
    static std::string take(LayerStack& stack) {
        std::string out(base::as_text(stack.wire()));
        stack.wire_taken(out.size());
        return out;
    }
    std::vector<LayerStack::Event> events;
};

TEST_F(Layers, bytes_pass_all_layers_in_order_both_ways) {
    LayerStack stack(letters("ab"));
    EXPECT_FALSE(stack.ready());
    EXPECT_EQ(give(stack, "abhello"), "hello");
    EXPECT_EQ(events.size(), 2U);
    EXPECT_TRUE(stack.ready());
    stack.send(base::as_bytes("x"));
    EXPECT_EQ(take(stack), "abx");
    EXPECT_EQ(stack.wire_left(), 0U);
}

TEST_F(Layers, an_upper_layer_hears_nothing_before_a_lower_one_passes_something_up) {
    LayerStack stack(letters("ab"));
    EXPECT_EQ(give(stack, "a"), "");
    ASSERT_EQ(events.size(), 1U);
    EXPECT_TRUE(events[0].failure.empty());
    EXPECT_FALSE(stack.ready());
    EXPECT_EQ(give(stack, "bx"), "x");
    EXPECT_EQ(events.size(), 1U);
}

TEST_F(Layers, on_a_connection_that_we_made_each_layer_begins_when_the_one_below_is_open) {
    LayerStack stack(letters("ab"));
    stack.start();
    EXPECT_EQ(take(stack), "hi");
    give(stack, "a");
    EXPECT_EQ(take(stack), "ahi") << "the upper one's words pass the lower one";
    give(stack, "b");
    EXPECT_EQ(take(stack), "");
    EXPECT_TRUE(stack.ready());
    LayerStack accepted(letters("ab"));
    give(accepted, "a");
    EXPECT_EQ(take(accepted), "") << "one that came to us waits";
}

TEST_F(Layers, an_answer_of_an_upper_layer_passes_those_below_it) {
    LayerStack stack(letters("abc"));
    give(stack, "abc");
    take(stack);
    EXPECT_EQ(give(stack, "x?y"), "xy");
    EXPECT_EQ(take(stack), "ab!");
}

TEST_F(Layers, a_goodbye_below_still_lets_up_what_came_before_it) {
    LayerStack stack(letters("ab"));
    EXPECT_EQ(give(stack, "abwordsE"), "words");
    EXPECT_TRUE(stack.over());
    EXPECT_FALSE(stack.ready());
    EXPECT_EQ(give(stack, "more"), "");
    stack.finish();
    EXPECT_EQ(take(stack), "bye") << "only the lowest one's words can leave: the layer below the other has ended";
}

TEST_F(Layers, a_failure_is_told_with_its_reason_and_its_last_bytes_leave) {
    LayerStack stack(letters("a"));
    EXPECT_EQ(give(stack, "aF"), "");
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].failure, "on purpose");
    EXPECT_TRUE(stack.over());
    stack.finish();
    EXPECT_EQ(take(stack), "bad");
}

TEST_F(Layers, a_layer_whose_work_is_done_is_taken_out) {
    LayerStack stack(letters("ab"));
    EXPECT_EQ(give(stack, "abP"), "");
    EXPECT_FALSE(stack.empty());
    stack.send(base::as_bytes("x"));
    EXPECT_EQ(take(stack), "bx");
    LayerStack single(letters("a"));
    EXPECT_EQ(give(single, "aPrest"), "rest");
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].layer->failure(), "on purpose") << "what an event points at is still there";
    EXPECT_TRUE(single.empty());
}

TEST_F(Layers, answers_that_nobody_reads_are_bounded) {
    LayerStack stack(letters("a"));
    give(stack, "a");
    const std::string questions(10'000, '?');
    std::size_t most = 0;
    while (!stack.over()) {
        give(stack, questions);
        most = std::max(most, stack.wire_left());
        ASSERT_LE(most, LayerStack::kUnreadAnswersMax + questions.size());
    }
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].failure, "the peer does not read what it asked for");
}

}  // namespace
}  // namespace sluice::posix
