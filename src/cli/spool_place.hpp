// The spool that a configuration names, opened for looking at it: with the gateway's key, while the gateway runs or not.
#pragma once

#include <memory>
#include <string>

#include "env/posix/clock.hpp"
#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"
#include "flow/spool/spool.hpp"
#include "gateway/spool_sealer.hpp"

namespace sluice::cli {

struct Exit;

class SpoolPlace {
public:
    /// Loads the configuration and the key, or says on standard error why not and sets the exit code.
    SpoolPlace(const std::string& file, Exit& exit);
    [[nodiscard]] bool good() const { return sealer_ != nullptr; }

    /// A view of the spool as it is now; good() only. Errors: those of spool::Spool::open().
    [[nodiscard]] base::Result<std::unique_ptr<spool::Spool>> open();
    /// open(), or says on standard error why not, sets the exit code and returns null. Not good(): null.
    [[nodiscard]] std::unique_ptr<spool::Spool> open_or_explain();
    /// Says what is wrong with the spool and sets the exit code.
    void explain(const base::Error& error);

    [[nodiscard]] env::FileSystem& files() { return files_; }
    [[nodiscard]] spool::Sealer& sealer() { return *sealer_; }
    [[nodiscard]] const std::string& directory() const { return options_.directory; }

private:
    void explain_key(const base::Error& error, identity::KeyNumber culprit);
    void fail(const std::string& text, int code);

    Exit& exit_;
    posix::PosixFileSystem files_;
    posix::PosixClock clock_;
    posix::PosixEntropy entropy_;
    std::string data_;
    spool::Options options_;
    std::unique_ptr<gateway::SpoolSealer> sealer_;
};

}  // namespace sluice::cli
