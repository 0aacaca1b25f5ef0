#include "flow/rules/time_text.hpp"

#include <algorithm>
#include <array>

#include "flow/rules/calendar.hpp"
#include "flow/rules/problems.hpp"

namespace sluice::rules {
namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr std::array<std::string_view, 12> kMonths{"January", "February", "March",     "April",   "May",      "June",
                                                   "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kDays{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::size_t kShortName = 3;  // Jan, Mon

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Reads from the front of a text.
class Reader {
public:
    explicit Reader(std::string_view text) : text_(text) {}

    [[nodiscard]] bool empty() const { return text_.empty(); }
    [[nodiscard]] char front() const { return text_.empty() ? '\0' : text_.front(); }
    bool take(char c) {
        if (front() != c || text_.empty()) return false;
        text_.remove_prefix(1);
        return true;
    }
    bool digits(std::size_t least, std::size_t most, int& number) {
        std::size_t count = 0;
        number = 0;
        for (; count < most && count < text_.size() && is_digit(text_[count]); ++count) number = number * 10 + (text_[count] - '0');
        text_.remove_prefix(count);
        return count >= least;
    }
    /// Digits behind a point, as milliseconds.
    bool fraction(int& milliseconds) {
        std::size_t count = 0;
        milliseconds = 0;
        for (; count < text_.size() && is_digit(text_[count]); ++count) {
            if (count < 3) milliseconds = milliseconds * 10 + (text_[count] - '0');
        }
        for (std::size_t i = count; i < 3; ++i) milliseconds *= 10;
        text_.remove_prefix(count);
        return count > 0;
    }
    /// One of the names, or its first `letters` letters; its index.
    bool name(std::span<const std::string_view> names, std::size_t letters, int& index) {
        for (std::size_t i = 0; i < names.size(); ++i) {
            const std::string_view name = names[i].substr(0, letters);
            if (!same_word(text_.substr(0, name.size()), name)) continue;
            index = static_cast<int>(i);
            text_.remove_prefix(name.size());
            return true;
        }
        return false;
    }
    /// Z, +02, +0200 or +02:00.
    bool offset(std::int64_t& milliseconds) {
        if (take('Z') || take('z')) {
            milliseconds = 0;
            return true;
        }
        const bool minus = front() == '-';
        if (!take('+') && !take('-')) return false;
        int hours = 0;
        int minutes = 0;
        if (!digits(2, 2, hours) || hours > 23) return false;
        const bool colon = take(':');
        if ((colon || is_digit(front())) && (!digits(2, 2, minutes) || minutes > 59)) return false;
        milliseconds = (hours * 60 + minutes) * kMinute * (minus ? -1 : 1);
        return true;
    }

private:
    std::string_view text_;
};

std::optional<std::int64_t> moment_at(const Civil& civil, std::int64_t offset) {
    const auto local = moment_of(civil);
    if (!local || *local - offset < kMomentMin || *local - offset > kMomentMax) return std::nullopt;
    return *local - offset;
}

void append_digits(base::Bytes& to, int number, std::size_t width) {
    char text[10];
    std::size_t count = 0;
    for (; count < sizeof text && (number > 0 || count < std::max<std::size_t>(width, 1)); number /= 10)
        text[count++] = static_cast<char>('0' + number % 10);
    while (count > 0) to.push_back(static_cast<base::Byte>(text[--count]));
}

void append_offset(base::Bytes& to, std::int64_t offset, bool colon) {
    const auto minutes = static_cast<int>(std::abs(offset) / kMinute);
    to.push_back(offset < 0 ? '-' : '+');
    append_digits(to, minutes / 60, 2);
    if (colon) to.push_back(':');
    append_digits(to, minutes % 60, 2);
}

/// One piece of a format: a run of one letter, or text as it is.
struct Piece {
    char letter = '\0';  ///< '\0': text
    std::size_t count = 0;
    std::string_view text;
    std::size_t offset = 0;
};

class Format {
public:
    explicit Format(std::string_view format) : format_(format) {}

    bool next(Piece& piece) {
        if (at_ >= format_.size()) return false;
        const char c = format_[at_];
        piece = {};
        piece.offset = at_;
        if (c == '\'') {
            const std::size_t stop = std::min(format_.find('\'', at_ + 1), format_.size());
            piece.text = stop == at_ + 1 ? format_.substr(at_, 1) : format_.substr(at_ + 1, stop - at_ - 1);  // '' is one quote
            at_ = std::min(stop + 1, format_.size());
            return true;
        }
        std::size_t stop = at_ + 1;
        if (is_letter(c)) {
            while (stop < format_.size() && format_[stop] == c) ++stop;
            piece.letter = c == 'Y' ? 'y' : c;
            piece.count = stop - at_;
        } else {
            while (stop < format_.size() && !is_letter(format_[stop]) && format_[stop] != '\'') ++stop;
            piece.text = format_.substr(at_, stop - at_);
        }
        at_ = stop;
        return true;
    }

private:
    std::string_view format_;
    std::size_t at_ = 0;
};

constexpr std::string_view kLetters = "yMdHhmsSaEZX";

int hour_of_12(int hour) { return hour % 12 == 0 ? 12 : hour % 12; }

/// What has been read of a moment so far.
struct Reading {
    Civil civil;
    bool afternoon = false;
    bool by_12 = false;
    std::int64_t offset = 0;
};

bool read_piece(Reader& in, const Piece& piece, Reading& to) {
    const bool narrow = piece.count == 1;
    const auto two = [&](int& number) { return in.digits(narrow ? 1 : 2, 2, number); };
    switch (piece.letter) {
        case 'y': {
            const bool short_year = piece.count == 2;
            if (!in.digits(short_year ? 2 : narrow ? 1 : 4, short_year ? 2 : 4, to.civil.year)) return false;
            if (short_year) to.civil.year += 2000;
            return true;
        }
        case 'M': {
            if (piece.count <= 2) return two(to.civil.month);
            if (!in.name(kMonths, piece.count == 3 ? kShortName : std::string_view::npos, to.civil.month)) return false;
            ++to.civil.month;
            return true;
        }
        case 'd':
            return two(to.civil.day);
        case 'h':
            to.by_12 = true;
            return two(to.civil.hour) && to.civil.hour >= 1 && to.civil.hour <= 12;
        case 'H':
            return two(to.civil.hour);
        case 'm':
            return two(to.civil.minute);
        case 's':
            return two(to.civil.second);
        case 'S':
            return in.fraction(to.civil.millisecond);
        case 'a': {
            constexpr std::array<std::string_view, 2> kHalves{"AM", "PM"};
            int half = 0;
            if (!in.name(kHalves, 2, half)) return false;
            to.afternoon = half == 1;
            return true;
        }
        case 'E': {
            int day = 0;  // says nothing that the date does not say
            return in.name(kDays, piece.count <= 3 ? kShortName : std::string_view::npos, day);
        }
        case 'Z':
        case 'X':
            return in.offset(to.offset);
        default:
            break;
    }
    return std::all_of(piece.text.begin(), piece.text.end(), [&in](char c) { return in.take(c); });
}

void write_piece(base::Bytes& to, const Piece& piece, const Civil& civil, std::int64_t local, std::int64_t offset) {
    const std::size_t width = piece.count;
    switch (piece.letter) {
        case 'y':
            return width == 2 ? append_digits(to, civil.year % 100, 2) : append_digits(to, civil.year, width);
        case 'M':
            if (width <= 2) return append_digits(to, civil.month, width);
            return base::append(to, kMonths[static_cast<std::size_t>(civil.month - 1)].substr(0, width == 3 ? kShortName : 99));
        case 'd':
            return append_digits(to, civil.day, width);
        case 'H':
            return append_digits(to, civil.hour, width);
        case 'h':
            return append_digits(to, hour_of_12(civil.hour), width);
        case 'm':
            return append_digits(to, civil.minute, width);
        case 's':
            return append_digits(to, civil.second, width);
        case 'S':
            for (std::size_t i = 0, scale = 100; i < width; ++i, scale /= 10)
                to.push_back(static_cast<base::Byte>('0' + (scale == 0 ? 0 : civil.millisecond / static_cast<int>(scale) % 10)));
            return;
        case 'a':
            return base::append(to, civil.hour < 12 ? "AM" : "PM");
        case 'E':
            return base::append(to, kDays[static_cast<std::size_t>(weekday_of(local))].substr(0, width <= 3 ? kShortName : 99));
        case 'Z':
            return append_offset(to, offset, false);
        case 'X':
            return offset == 0 ? to.push_back('Z') : append_offset(to, offset, width == 3);
        default:
            return base::append(to, piece.text);
    }
}

}  // namespace

std::optional<std::int64_t> parse_offset(std::string_view text) {
    if (same_word(text, "utc") || same_word(text, "gmt")) return 0;
    Reader in(text);
    std::int64_t offset = 0;
    if (!in.offset(offset) || !in.empty()) return std::nullopt;
    return offset;
}

std::optional<std::int64_t> parse_iso8601(std::string_view text, std::int64_t offset) {
    Reader in(text);
    Civil civil;
    if (!in.digits(4, 4, civil.year) || !in.take('-') || !in.digits(2, 2, civil.month) || !in.take('-') || !in.digits(2, 2, civil.day))
        return std::nullopt;
    if (in.empty()) return moment_at(civil, offset);
    if (!in.take('T') && !in.take('t') && !in.take(' ')) return std::nullopt;
    if (!in.digits(2, 2, civil.hour) || !in.take(':') || !in.digits(2, 2, civil.minute)) return std::nullopt;
    if (in.take(':')) {
        if (!in.digits(2, 2, civil.second)) return std::nullopt;
        if ((in.take('.') || in.take(',')) && !in.fraction(civil.millisecond)) return std::nullopt;
    }
    if (!in.empty() && (!in.offset(offset) || !in.empty())) return std::nullopt;
    return moment_at(civil, offset);
}

void append_iso8601(base::Bytes& to, std::int64_t moment, std::int64_t offset) {
    const bool whole = moment % 1000 == 0;
    (void)append_time(to, moment, whole ? "yyyy-MM-dd'T'HH:mm:ssXXX" : "yyyy-MM-dd'T'HH:mm:ss.SSSXXX", offset);  // a good format
}

std::size_t time_format_problem(std::string_view format) {
    Piece piece;
    for (Format pieces(format); pieces.next(piece);) {
        if (piece.letter != '\0' && (kLetters.find(piece.letter) == std::string_view::npos || piece.count > 9)) return piece.offset;
    }
    return kFormatGood;
}

std::optional<std::int64_t> parse_time(std::string_view text, std::string_view format, std::int64_t offset) {
    if (time_format_problem(format) != kFormatGood) return std::nullopt;
    Reader in(text);
    Reading reading;
    reading.offset = offset;
    Piece piece;
    for (Format pieces(format); pieces.next(piece);) {
        if (!read_piece(in, piece, reading)) return std::nullopt;
    }
    if (!in.empty()) return std::nullopt;
    if (reading.by_12) reading.civil.hour = reading.civil.hour % 12 + (reading.afternoon ? 12 : 0);
    return moment_at(reading.civil, reading.offset);
}

bool append_time(base::Bytes& to, std::int64_t moment, std::string_view format, std::int64_t offset) {
    if (time_format_problem(format) != kFormatGood) return false;
    const std::int64_t local = moment + offset;
    const Civil civil = civil_of(local);
    Piece piece;
    for (Format pieces(format); pieces.next(piece);) write_piece(to, piece, civil, local, offset);
    return true;
}

}  // namespace sluice::rules
