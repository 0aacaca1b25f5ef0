// The file of the rules' changes: one sealed document, replaced as a whole (docs/formats/rule_changes.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "env/entropy.hpp"
#include "env/file_system.hpp"
#include "gateway/rule_overlay.hpp"
#include "manage/identity/document_sealer.hpp"

namespace sluice::gateway {

/// One thread at a time. Blocks on the disk.
class RuleOverlayStore {
public:
    /// `data`: the gateway's data folder. `bytes_max`: of all changes together.
    RuleOverlayStore(env::FileSystem& files, env::Entropy& entropy, identity::KeyRing keys, const std::string& data,
                     std::size_t bytes_max = RuleOverlay::kBytesMax);

    [[nodiscard]] static std::string path_in(const std::string& data) { return data + "/state/" + std::string(kName); }

    /// No file: no changes. Errors: corrupt (changed, cut, another key of this number), wrong_key (its key is not there), version, io.
    [[nodiscard]] base::Result<RuleOverlay> load();
    /// Durable when it returns well. After an error the file has what it had or what it should have got. Errors: too_large, disk_full, io.
    base::Status save(const RuleOverlay& overlay);
    /// Other master keys from now on: save() takes the newest.
    void use(identity::KeyRing keys) { sealer_.use(std::move(keys)); }
    /// The key that the file needs, durably; none: there is no file, or it is none of ours. Errors: permission, io.
    [[nodiscard]] base::Result<std::optional<identity::KeyNumber>> key() const;
    /// Moves a file that cannot be read out of the way, to be looked at; its new name.
    [[nodiscard]] base::Result<std::string> put_aside();

private:
    static constexpr std::string_view kName = "rule-changes";
    env::FileSystem& files_;
    identity::DocumentSealer sealer_;
    std::string folder_;
    std::string path_;
    std::size_t bytes_max_;
};

/// What the gateway of this data folder holds above its file, for who only looks; nothing where that cannot be read.
[[nodiscard]] RuleOverlay saved_rule_changes(env::FileSystem& files, env::Entropy& entropy, const std::string& data);

/// A sentence for each kind of change: "put at run time: a, b".
[[nodiscard]] std::vector<std::string> sentences(const RuleOverlay& overlay);

}  // namespace sluice::gateway
