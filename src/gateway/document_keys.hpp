// Which master keys the sealed documents in `<data>/state` name: in the clear, so it needs none of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "env/file_system.hpp"
#include "manage/identity/key_ring.hpp"

namespace sluice::gateway {

/// None: there is no such file, or it is no document. Errors: permission, io.
[[nodiscard]] base::Result<std::optional<identity::KeyNumber>> document_key(env::FileSystem& files, const std::string& path);

struct DocumentKey {
    std::string name;
    identity::KeyNumber key = 0;
};
/// Of all documents of the folder but the rules' changes; drafts and what was put aside are none. Errors: permission, io.
[[nodiscard]] base::Result<std::vector<DocumentKey>> document_keys(env::FileSystem& files, const std::string& folder);

}  // namespace sluice::gateway
