// The master key of a gateway or cloud, and the keys derived from it: one per purpose.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "env/entropy.hpp"
#include "env/file_system.hpp"
#include "manage/identity/secret.hpp"

namespace sluice::identity {

/// `<data>/keys/master.key`: 32 random bytes, nothing else, mode 0600.
inline constexpr std::string_view kMasterKeyFile = "keys/master.key";

class MasterKey {
public:
    explicit MasterKey(const Secret& secret) : secret_(secret) {}

    /// Reads `<data>/keys/master.key`, or makes it (folder 0700, file 0600, durable before this returns).
    /// Errors: permission (readable by group or others, or by the operating system's word), corrupt (not 32 bytes), disk_full, io.
    static base::Result<MasterKey> load_or_create(env::FileSystem& files, env::Entropy& entropy, const std::string& data_directory);

    /// Only reads. Errors: not_found, permission, corrupt, io.
    static base::Result<MasterKey> load(env::FileSystem& files, const std::string& data_directory);

    /// HKDF-SHA256 (RFC 5869): salt = context, info = "sluice " + purpose. Purposes are the constants below.
    [[nodiscard]] Secret derive(std::string_view purpose, base::ByteView context = {}) const;

private:
    Secret secret_;
};

/// Purposes: each has its own key, so that nothing sealed for one opens for another.
inline constexpr std::string_view kSpoolPurpose = "spool v1";
inline constexpr std::string_view kSpoolCheckPurpose = "spool key check v1";
inline constexpr std::string_view kDocumentPurpose = "documents v1";
inline constexpr std::string_view kDocumentNamePurpose = "document names v1";
inline constexpr std::string_view kSessionsPurpose = "sessions v1";
inline constexpr std::string_view kSessionNamesPurpose = "session names v1";
inline constexpr std::string_view kSessionsCheckPurpose = "sessions key check v1";
inline constexpr std::string_view kRuleStatePurpose = "rule state v1";
inline constexpr std::string_view kRuleChangesPurpose = "rule changes v1";

}  // namespace sluice::identity
