// The terminal of commands that draw on it.
#pragma once

#include <cstddef>
#include <string_view>

#include <termios.h>

namespace sluice::cli {

/// While it lives: another screen, keys come as they are pressed. Everything is as it was afterwards.
class Screen {
public:
    Screen();
    ~Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    struct Size {
        std::size_t columns = 120;
        std::size_t lines = 24;
    };
    [[nodiscard]] static Size size();
    /// From the top left corner; nothing of what was there before stays. `footer` has no line break.
    static void paint(std::string_view frame, std::string_view footer);

private:
    termios before_{};
    bool restore_ = false;
};

/// Standard input and output are a terminal.
[[nodiscard]] bool on_terminal();

}  // namespace sluice::cli
