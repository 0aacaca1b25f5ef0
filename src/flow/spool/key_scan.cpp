#include "flow/spool/key_scan.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "flow/spool/block.hpp"
#include "flow/spool/manifest.hpp"
#include "flow/spool/segment_name.hpp"

namespace sluice::spool {
namespace {

using base::ByteView;
using base::Errc;
using base::Result;

constexpr std::size_t kHeadBytes = std::max(kSegmentHeaderBytes, kManifestHeaderBytes);

struct Head {
    std::array<base::Byte, kHeadBytes> bytes{};
    std::size_t got = 0;
    std::uint64_t file_size = 0;
    [[nodiscard]] ByteView view() const { return ByteView(bytes).first(got); }
};

/// Empty where the file is gone or cannot be read.
Result<Head> head_of(env::FileSystem& files, const std::string& path) {
    Head head;
    auto file = files.open(path, env::OpenMode::read);
    if (!file) return file.error().code == Errc::permission ? Result<Head>(file.error()) : Result<Head>(head);
    if (const auto size = (*file)->size()) head.file_size = *size;
    if (const auto got = (*file)->read_at(0, head.bytes)) head.got = *got;
    return head;
}

NamedKeyUse& entry_of(std::vector<NamedKeyUse>& all, const KeyName& key) {
    const auto found = std::find_if(all.begin(), all.end(), [&key](const NamedKeyUse& each) { return each.key == key; });
    if (found != all.end()) return *found;
    all.push_back({.key = key});
    return all.back();
}

}  // namespace

Result<std::vector<NamedKeyUse>> scan_keys(env::FileSystem& files, const std::string& directory) {
    const auto names = files.list(directory);
    if (!names) return names.error();
    std::vector<NamedKeyUse> out;
    for (const std::string& name : *names) {
        const bool segment = parse_segment_name(name).has_value();
        if (!segment && name != "manifest.0" && name != "manifest.1") continue;
        const auto head = head_of(files, fmt::format("{}/{}", directory, name));
        if (!head) return head.error();
        if (segment) {
            const auto header = decode_segment_header(head->view());
            if (!header) continue;
            NamedKeyUse& use = entry_of(out, header->key);
            ++use.segments;
            use.bytes += head->file_size;
        } else if (const auto header = decode_manifest_header(head->view())) {
            ++entry_of(out, header->key).manifests;
        }
    }
    std::sort(out.begin(), out.end(), [](const NamedKeyUse& a, const NamedKeyUse& b) { return a.key.number < b.key.number; });
    return out;
}

}  // namespace sluice::spool
