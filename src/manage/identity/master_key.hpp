// A master key of a gateway, and the keys derived from it: one per purpose. Its file: key_files.hpp.
#pragma once

#include <string_view>

#include "base/bytes.hpp"
#include "manage/identity/secret.hpp"

namespace sluice::identity {

class MasterKey {
public:
    explicit MasterKey(const Secret& secret) : secret_(secret) {}

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
