#include "gateway/document_keys.hpp"

#include <array>

#include <fmt/format.h>

#include "manage/identity/document_sealer.hpp"

namespace sluice::gateway {

using base::Errc;
using identity::DocumentSealer;

base::Result<std::optional<identity::KeyNumber>> document_key(env::FileSystem& files, const std::string& path) {
    const std::optional<identity::KeyNumber> none;
    auto file = files.open(path, env::OpenMode::read);
    if (!file && file.error().code == Errc::not_found) return none;
    if (!file) return file.error();
    std::array<base::Byte, DocumentSealer::kHeadBytes> head{};
    const auto got = (*file)->read_at(0, head);
    if (!got) return got.error();
    const auto key = DocumentSealer::key_of(base::ByteView(head).first(*got));
    return key ? std::optional(*key) : none;
}

base::Result<std::vector<DocumentKey>> document_keys(env::FileSystem& files, const std::string& folder) {
    const auto names = files.list(folder);
    std::vector<DocumentKey> out;
    if (!names && names.error().code == Errc::not_found) return out;
    if (!names) return names.error();
    for (const std::string& name : *names) {
        const bool document = name.starts_with("rules-") || name == "ledger" || name == "gateway" || name == "clean";
        if (!document || name.ends_with(".new")) continue;
        const auto key = document_key(files, fmt::format("{}/{}", folder, name));
        if (!key) return key.error();
        if (*key) out.push_back({name, **key});
    }
    return out;
}

}  // namespace sluice::gateway
