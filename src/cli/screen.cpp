#include "cli/screen.hpp"

#include <cstdio>
#include <string>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace sluice::cli {

Screen::Screen() {
    if (::tcgetattr(STDIN_FILENO, &before_) == 0) {
        termios raw = before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        restore_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    }
    fmt::print("\x1b[?1049h\x1b[?25l");
}

Screen::~Screen() {
    fmt::print("\x1b[?25h\x1b[?1049l");
    std::fflush(stdout);
    if (restore_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

Screen::Size Screen::size() {
    winsize told{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &told) != 0 || told.ws_row <= 2 || told.ws_col <= 20) return {};
    return {told.ws_col, told.ws_row};
}

void Screen::paint(std::string_view frame, std::string_view footer) {
    std::string painted = "\x1b[H";
    for (const char c : frame) {
        if (c == '\n') painted += "\x1b[K";
        painted += c;
    }
    fmt::print("{}{}\x1b[K\x1b[J", painted, footer);
}

bool on_terminal() { return ::isatty(STDOUT_FILENO) == 1 && ::isatty(STDIN_FILENO) == 1; }

}  // namespace sluice::cli
