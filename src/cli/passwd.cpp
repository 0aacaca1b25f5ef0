#include "cli/passwd.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/secret_bytes.hpp"
#include "cli/exit.hpp"
#include "cli/json_text.hpp"
#include "data/topic.hpp"
#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"
#include "manage/config/access_files.hpp"
#include "manage/config/load.hpp"
#include "manage/config/users_edit.hpp"
#include "manage/identity/password.hpp"

namespace sluice::cli {
namespace {

struct Options {
    std::string file;
    std::string user;
    bool from_stdin = false;
    bool remove = false;
    bool check = false;
    bool json = false;
};

int fail(int code, const std::string& message) {
    fmt::print(stderr, "sluice passwd: {}\n", message);
    return code;
}

/// The users file, taken for this process alone, so that two that change it at the same time lose nothing. The lock is on the file itself;
/// who waited for one that was replaced meanwhile takes the new one.
class LockedFile {
public:
    /// `create`: with mode 0600 where it is missing. False: errno says why.
    bool open(const std::string& path, bool create) {
        for (;;) {
            fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
            if (fd_ < 0) return false;
            if (::flock(fd_, LOCK_EX) != 0 || ::fstat(fd_, &state_) != 0) return false;
            struct stat now {};
            if (::stat(path.c_str(), &now) == 0 && now.st_ino == state_.st_ino && now.st_dev == state_.st_dev) break;
            ::close(fd_);
        }
        char resolved[PATH_MAX];
        if (::realpath(path.c_str(), resolved) == nullptr) return false;
        path_ = resolved;  // a link stays a link
        return true;
    }
    LockedFile() = default;
    LockedFile(const LockedFile&) = delete;
    LockedFile& operator=(const LockedFile&) = delete;
    ~LockedFile() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] const std::string& path() const { return path_; }

    /// Puts a new text in its place, with the owner and mode that it had. Errors: as those of env::FileSystem.
    base::Status replace(std::string_view text) {
        posix::PosixFileSystem files;
        const std::string fresh = path_ + ".new";
        if (auto removed = files.remove(fresh); !removed && removed.error().code != base::Errc::not_found) return removed;
        auto file = files.open(fresh, env::OpenMode::create_new);
        if (!file) return file.error();
        if (auto wrote = (*file)->write_at(0, base::as_bytes(text)); !wrote) return wrote;
        // The gateway may run as another user than the one who types this.
        if (::chown(fresh.c_str(), state_.st_uid, state_.st_gid) != 0 && errno != EPERM) return base::from_errno(errno);
        if (::chmod(fresh.c_str(), state_.st_mode & 07777U) != 0) return base::from_errno(errno);
        if (auto synced = (*file)->sync(); !synced) return synced;
        if (auto renamed = files.rename(fresh, path_); !renamed) return renamed;
        return files.sync_directory(path_.substr(0, std::max<std::size_t>(path_.find_last_of('/'), 1)));
    }

private:
    int fd_ = -1;
    struct stat state_ {};
    std::string path_;
};

/// One line, without its end. nullopt: there is none, or it is longer than a password may be.
std::optional<base::SecretBytes> read_line() {
    char line[identity::kPasswordBytesMax + 2];
    std::size_t size = 0;
    bool any = false;
    for (;;) {
        char c = 0;
        const auto got = ::read(STDIN_FILENO, &c, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        any = true;
        if (c == '\n') break;
        if (size == sizeof line) return std::nullopt;
        line[size++] = c;
    }
    if (size != 0 && line[size - 1] == '\r') --size;
    base::SecretBytes out(base::as_bytes({line, size}));
    ::explicit_bzero(line, sizeof line);
    if (!any || size > identity::kPasswordBytesMax) return std::nullopt;
    return out;
}

/// Asks on the terminal, without showing what is typed.
std::optional<base::SecretBytes> ask(const std::string& prompt) {
    termios before{};
    if (::tcgetattr(STDIN_FILENO, &before) != 0) return std::nullopt;
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);  // before the prompt: what is typed in answer to it must not be flushed
    fmt::print(stderr, "{}", prompt);
    auto line = read_line();
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    fmt::print(stderr, "\n");
    return line;
}

/// nullopt: said why.
std::optional<base::SecretBytes> read_password(const Options& options) {
    const auto too_long = [] {
        fail(kExitUsage, fmt::format("expected a password of 1 to {} bytes", identity::kPasswordBytesMax));
        return std::nullopt;
    };
    if (options.from_stdin) {
        auto line = read_line();
        if (!line || line->view().empty()) return too_long();
        return line;
    }
    if (::isatty(STDIN_FILENO) == 0) {
        fail(kExitUsage, "standard input is no terminal: use --stdin to read the password from it");
        return std::nullopt;
    }
    auto first = ask(fmt::format("Password for {}: ", options.user));
    if (!first || first->view().empty()) return too_long();
    if (options.check) return first;
    const auto again = ask("Again: ");
    const bool same = again && std::equal(first->view().begin(), first->view().end(), again->view().begin(), again->view().end());
    if (same) return first;
    fail(kExitFailed, "the two are not the same; nothing was changed");
    return std::nullopt;
}

std::string why(const base::Error& error, const Options& options) {
    if (error.code == base::Errc::unsupported) {
        return fmt::format("{} is written in a way that cannot be changed in place; write each user as a line `NAME: HASH`", options.file);
    }
    return fmt::format("cannot write {}: {}", options.file, base::describe(error));
}

int check(const Options& options, const base::SecretBytes& password, const std::vector<config::UserEntry>& users) {
    const auto user = std::find_if(users.begin(), users.end(), [&](const auto& one) { return one.name == options.user; });
    if (user == users.end()) return fail(kExitFailed, fmt::format("there is no user `{}` in {}", options.user, options.file));
    const bool right = identity::is_password(user->hash, password.view());
    if (options.json) {
        fmt::print("{{\"user\":{},\"right\":{},\"disabled\":{}}}\n", json_text(options.user), right, user->disabled);
        return right ? kExitGood : kExitFailed;
    }
    if (!right) return fail(kExitFailed, "that is not the password");
    fmt::print("that is the password of {}{}\n", options.user, user->disabled ? ", who is disabled" : "");
    return kExitGood;
}

int change(const Options& options, const base::SecretBytes& password, LockedFile& file, const std::string& text) {
    base::Result<std::string> after = base::Error{base::Errc::internal};
    if (options.remove) {
        after = config::remove_user(text, options.user);
        if (!after && after.error().code == base::Errc::not_found)
            return fail(kExitFailed, fmt::format("there is no user `{}` in {}", options.user, options.file));
    } else {
        posix::PosixEntropy entropy;
        const auto hash = identity::hash_password(password.view(), identity::kPasswordCost, entropy);
        if (!hash) return fail(kExitFailed, base::describe(hash.error()));
        after = config::set_password(text, options.user, phc::format(*hash));
    }
    if (!after) return fail(kExitFailed, why(after.error(), options));
    if (const auto replaced = file.replace(*after); !replaced) return fail(kExitFailed, why(replaced.error(), options));
    if (options.json) {
        fmt::print("{{\"user\":{},\"done\":\"{}\"}}\n", json_text(options.user), options.remove ? "removed" : "set");
        return kExitGood;
    }
    fmt::print("{} {}; a running gateway takes it over with: sluice reload -c CONFIGURATION\n", options.user,
               options.remove ? "removed" : "set");
    return kExitGood;
}

int run(const Options& options) {
    const bool clean = data::is_mqtt_utf8(options.user) &&
                       std::none_of(options.user.begin(), options.user.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (!clean || options.user.empty() || options.user.size() > config::kUserNameBytesMax)
        return fail(kExitUsage,
                    fmt::format("expected a user's name of 1 to {} bytes of UTF-8 without control characters", config::kUserNameBytesMax));
    base::SecretBytes password;
    if (!options.remove) {
        auto read = read_password(options);  // before the file is taken: others need not wait for who types
        if (!read) return kExitUsage;
        password = std::move(*read);
    }
    LockedFile file;
    if (!file.open(options.file, !options.remove && !options.check))
        return fail(kExitFailed, fmt::format("cannot open {}: {}", options.file, std::strerror(errno)));
    posix::PosixFileSystem files;
    const auto text = config::read_text(files, file.path(), config::kAccessFileBytesMax);
    if (!text) return fail(kExitFailed, fmt::format("cannot read {}: {}", options.file, base::describe(text.error())));
    config::Problems problems;
    const auto users = config::read_users(*text, options.file, problems);
    if (!config::is_valid(problems)) {
        fmt::print(stderr, "{}", config::format_all(options.file, problems));
        return fail(kExitUsage, "the file has errors; nothing was changed");
    }
    return options.check ? check(options, password, users) : change(options, password, file, *text);
}

}  // namespace

void add_passwd(CLI::App& app, Exit& exit) {
    auto* command = app.add_subcommand("passwd", "add a user, or change, check or remove one, in a users file");
    auto options = std::make_shared<Options>();
    command->add_option("FILE", options->file, "the users file (auth.users of a gateway); made with mode 0600 if it is missing")
        ->required();
    command->add_option("USER", options->user, "the name of the user")->required();
    command->add_flag("--stdin", options->from_stdin, "read the password from standard input, one line, instead of asking twice");
    auto* remove = command->add_flag("--delete", options->remove, "remove the user");
    command->add_flag("--check", options->check, "change nothing, say whether the password is right")->excludes(remove);
    command->add_flag("--json", options->json, "the outcome as one JSON object: user, done (set, removed), or right and disabled");
    command->footer(
        "Examples:\n"
        "  sluice passwd users.yaml ana\n"
        "  openssl rand -base64 24 | tee pump-1.secret | sluice passwd users.yaml pump-1 --stdin\n"
        "  sluice passwd users.yaml ana --check\n"
        "  sluice passwd users.yaml ana --delete\n"
        "\n"
        "The file keeps its order, comments, owner and mode; other users' lines are not touched. Passwords are stored as Argon2id hashes.\n"
        "Exit: 0 done (or right), 1 failed (or wrong), 2 wrong use or a file with errors.");
    command->callback([options, &exit] { exit.code = run(*options); });
}

}  // namespace sluice::cli
