#include "flow/spool/manifest.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/fail_point.hpp"
#include "data/reading.hpp"
#include "flow/spool/crc32c.hpp"

namespace sluice::spool {
namespace {

using base::append_le;
using base::Byte;
using base::Bytes;
using base::ByteView;
using base::Errc;
using base::Error;
using base::load_le;
using base::Status;
using base::store_le;

constexpr std::uint32_t kManifestMagic = 0x464d4c53;  // "SLMF"
constexpr std::uint64_t kSequenceMax = std::uint64_t{1} << 63;
constexpr std::uint64_t kEpochEnd = std::uint64_t{1} << 53;

constexpr std::size_t kClassBytesMax = 1 + 1 + kClassNameBytesMax + 5 * 8 + 1 + base::kDropReasons * 8 + 1 + GapList::kGapsMax * 17;
static_assert(kManifestHeaderBytes + 6 * 8 + 1 + data::kClassesMax * kClassBytesMax + kTagBytes <= kManifestSlotBytes,
              "a manifest with all classes and gaps fits into a slot");

/// Takes numbers off the front; remembers whether there were enough bytes.
class Reader {
public:
    explicit Reader(ByteView bytes) : left_(bytes) {}
    template <class T>
    T take() {
        if (left_.size() < sizeof(T)) {
            good_ = false;
            return T{};
        }
        const T value = load_le<T>(left_.data());
        left_ = left_.subspan(sizeof(T));
        return value;
    }
    std::string take_text(std::size_t size) {
        if (left_.size() < size) {
            good_ = false;
            return {};
        }
        std::string text(base::as_text(left_.first(size)));
        left_ = left_.subspan(size);
        return text;
    }
    [[nodiscard]] bool good() const { return good_; }
    [[nodiscard]] bool at_end() const { return good_ && left_.empty(); }

private:
    ByteView left_;
    bool good_ = true;
};

void encode_class(Bytes& out, const ManifestClass& entry) {
    append_le(out, entry.slot);
    append_le(out, static_cast<std::uint8_t>(entry.name.size()));
    base::append(out, entry.name);
    append_le(out, entry.next);
    append_le(out, entry.acknowledged);
    append_le(out, entry.delivered);
    append_le(out, entry.unnumbered);
    append_le(out, entry.skipped);
    append_le(out, static_cast<std::uint8_t>(entry.dropped.size()));
    for (const std::uint64_t count : entry.dropped) append_le(out, count);
    append_le(out, static_cast<std::uint8_t>(entry.gaps.size()));
    for (const GapList::Entry& gap : entry.gaps) {
        append_le(out, gap.first);
        append_le(out, gap.last);
        append_le(out, static_cast<std::uint8_t>(gap.reason));
    }
}

bool decode_class(Reader& from, ManifestClass& out) {
    out.slot = from.take<std::uint8_t>();
    out.name = from.take_text(from.take<std::uint8_t>());
    out.next = from.take<std::uint64_t>();
    out.acknowledged = from.take<std::uint64_t>();
    out.delivered = from.take<std::uint64_t>();
    out.unnumbered = from.take<std::uint64_t>();
    out.skipped = from.take<std::uint64_t>();
    const std::size_t reasons = from.take<std::uint8_t>();
    if (reasons > out.dropped.size()) return false;  // of a later version
    for (std::size_t i = 0; i < reasons; ++i) out.dropped[i] = from.take<std::uint64_t>();
    const std::size_t gaps = from.take<std::uint8_t>();
    if (gaps > GapList::kGapsMax) return false;
    for (std::size_t i = 0; i < gaps; ++i) {
        GapList::Entry gap{from.take<std::uint64_t>(), from.take<std::uint64_t>(), {}};
        const std::size_t reason = from.take<std::uint8_t>();
        if (reason >= base::kDropReasons) return false;
        gap.reason = static_cast<base::DropReason>(reason);
        out.gaps.push_back(gap);
    }
    return from.good();
}

bool holds_together(const ManifestClass& entry) {
    if (entry.slot >= data::kClassesMax || entry.name.empty() || entry.name.size() > kClassNameBytesMax) return false;
    if (entry.acknowledged == 0 || entry.acknowledged > entry.next || entry.next >= kSequenceMax) return false;
    std::uint64_t in_gaps = 0;
    std::uint64_t at = entry.acknowledged;
    for (const GapList::Entry& gap : entry.gaps) {
        if (gap.first < at || gap.last < gap.first || gap.last >= entry.next) return false;
        in_gaps += gap.last - gap.first + 1;
        at = gap.last + 1;
    }
    if (entry.delivered >= kSequenceMax || entry.unnumbered >= kSequenceMax || entry.skipped >= kSequenceMax) return false;
    std::uint64_t settled = entry.delivered;
    for (const std::uint64_t count : entry.dropped) {
        if (count >= kSequenceMax) return false;
        settled += count;
        if (settled >= kSequenceMax) return false;
    }
    return settled + entry.skipped == entry.acknowledged - 1 + in_gaps + entry.unnumbered;
}

}  // namespace

Bytes encode(const Manifest& manifest) {
    Bytes out;
    append_le(out, manifest.epoch);
    append_le(out, manifest.running_ms);
    append_le(out, static_cast<std::uint64_t>(manifest.wall_ms));
    append_le(out, manifest.next_segment);
    append_le(out, manifest.bytes_accepted);
    append_le(out, manifest.bytes_written);
    append_le(out, static_cast<std::uint8_t>(manifest.classes.size()));
    for (const ManifestClass& entry : manifest.classes) {
        base::check(holds_together(entry), "spool: the sums of a class do not agree");
        encode_class(out, entry);
    }
    return out;
}

base::Result<Manifest> decode_manifest(ByteView body) {
    Reader from(body);
    Manifest manifest;
    manifest.epoch = from.take<std::uint64_t>();
    manifest.running_ms = from.take<std::uint64_t>();
    manifest.wall_ms = static_cast<std::int64_t>(from.take<std::uint64_t>());
    manifest.next_segment = from.take<std::uint64_t>();
    manifest.bytes_accepted = from.take<std::uint64_t>();
    manifest.bytes_written = from.take<std::uint64_t>();
    const std::size_t classes = from.take<std::uint8_t>();
    if (!from.good() || manifest.epoch == 0 || manifest.epoch >= kEpochEnd || classes > data::kClassesMax) return Error{Errc::corrupt};
    for (std::size_t i = 0; i < classes; ++i) {
        ManifestClass entry;
        if (!decode_class(from, entry) || !holds_together(entry)) return Error{Errc::corrupt};
        const auto same = [&](const ManifestClass& other) { return other.slot == entry.slot || other.name == entry.name; };
        if (std::any_of(manifest.classes.begin(), manifest.classes.end(), same)) return Error{Errc::corrupt};
        manifest.classes.push_back(std::move(entry));
    }
    if (!from.at_end()) return Error{Errc::corrupt};
    return manifest;
}

base::Result<ManifestHeader> decode_manifest_header(ByteView bytes) {
    if (bytes.size() < kManifestHeaderBytes) return Error{Errc::corrupt};
    bytes = bytes.first(kManifestHeaderBytes);
    const Byte* const at = bytes.data();
    if (load_le<std::uint32_t>(at) != kManifestMagic) return Error{Errc::corrupt};
    if (load_le<std::uint32_t>(at + 4) != crc32c(bytes.subspan(8))) return Error{Errc::corrupt};
    const auto version = load_le<std::uint16_t>(at + 8);
    if (version != kManifestVersion && version != kManifestVersionUnnumbered) return Error{Errc::version};
    ManifestHeader header;
    header.bytes = load_le<std::uint32_t>(at + 12);
    header.generation = load_le<std::uint64_t>(at + 16);
    std::copy_n(at + 24, header.salt.size(), header.salt.begin());
    header.key.number = version == kManifestVersionUnnumbered ? KeyNumber{1} : load_le<KeyNumber>(at + 10);
    std::copy_n(at + 40, header.key.check.size(), header.key.check.begin());
    if (header.key.number == 0) return Error{Errc::corrupt};
    if (kManifestHeaderBytes + header.bytes + kTagBytes > kManifestSlotBytes) return Error{Errc::corrupt};
    return header;
}

Bytes seal_manifest(const Manifest& manifest, std::uint64_t generation, const Salt& salt, Sealer& sealer) {
    const Bytes body = encode(manifest);
    Bytes out(kManifestHeaderBytes + body.size() + kTagBytes);
    Byte* const at = out.data();
    store_le(at, kManifestMagic);
    const KeyName key = sealer.newest();
    store_le(at + 8, kManifestVersion);
    store_le(at + 10, key.number);
    store_le(at + 12, static_cast<std::uint32_t>(body.size()));
    store_le(at + 16, generation);
    std::copy(salt.begin(), salt.end(), at + 24);
    std::copy(key.check.begin(), key.check.end(), at + 40);
    store_le(at + 4, crc32c(ByteView(out).subspan(8, kManifestHeaderBytes - 8)));
    const ByteView header = ByteView(out).first(kManifestHeaderBytes);
    sealer.cipher(key.number, header)->seal(0, {}, body, at + kManifestHeaderBytes);
    return out;
}

base::Result<OpenedManifest> open_manifest(ByteView slot, Sealer& sealer) {
    const auto header = decode_manifest_header(slot);
    if (!header) return header.error();
    if (!sealer.has(header->key)) return Error{Errc::wrong_key};
    const std::size_t sealed_bytes = header->bytes + kTagBytes;
    if (slot.size() < kManifestHeaderBytes + sealed_bytes) return Error{Errc::corrupt};
    Bytes body(header->bytes);
    const auto cipher = sealer.cipher(header->key.number, slot.first(kManifestHeaderBytes));
    if (!cipher->open(0, {}, slot.subspan(kManifestHeaderBytes, sealed_bytes), body.data())) return Error{Errc::corrupt};
    auto manifest = decode_manifest(body);
    if (!manifest) return manifest.error();
    return OpenedManifest{header->generation, std::move(*manifest)};
}

ManifestStore::ManifestStore(Place place) : place_(std::move(place)) {}

std::string ManifestStore::path(std::size_t slot) const { return place_.directory + "/manifest." + std::to_string(slot); }

base::Result<std::optional<Manifest>> ManifestStore::load() {
    std::optional<Manifest> newest;
    std::optional<Error> refused;
    std::uint64_t locked_generation = 0;  // of a slot whose key is not there
    for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
        auto file = place_.files.open(path(slot), env::OpenMode::read);
        if (!file && file.error().code == Errc::not_found) continue;
        if (!file) return file.error();
        Bytes content(kManifestSlotBytes);
        const auto got = (*file)->read_at(0, content);
        if (!got) return got.error();
        content.resize(*got);
        auto opened = open_manifest(content, place_.sealer);
        const auto header = decode_manifest_header(content);
        slots_[slot].keys.clear();
        if (header) slots_[slot].keys.insert(header->key.number);
        if (opened && (!newest || opened->generation > generation_)) {
            newest = std::move(opened->manifest);
            generation_ = opened->generation;
            valid_slot_ = slot;
        }
        if (opened || opened.error().code == Errc::corrupt) continue;
        if (opened.error().code == Errc::wrong_key) {
            locked_generation = std::max(locked_generation, header->generation);
        } else {
            refused = opened.error();
        }
    }
    if (refused) return *refused;
    // One that is older than what opens costs nothing: its key went after the other was on the medium.
    if (locked_generation != 0 && (!newest || locked_generation > generation_)) return Error{Errc::wrong_key};
    return newest;
}

Status ManifestStore::prepare() {
    const auto removed = place_.files.remove(place_.directory + "/manifest.new");
    if (!removed && removed.error().code != Errc::not_found) return removed;
    // The valid slot first: until it is known to be on the medium, the other one may be all there is.
    for (const std::size_t slot : {valid_slot_, 1 - valid_slot_}) {
        const bool valid = slot == valid_slot_ && generation_ != 0;
        auto file = place_.files.open(path(slot), env::OpenMode::read_write);
        if (!file && file.error().code != Errc::not_found) return file.error();
        if (file) {
            const auto size = (*file)->size();
            if (!size) return size.error();
            const auto synced = (*file)->sync();
            ++syncs_;
            if (!synced && valid) return synced;
            const bool whole = *size >= kManifestSlotBytes;
            if (synced && whole) slots_[slot].file = std::move(*file);
            if (valid || (synced && whole)) continue;
        }
        if (auto made = replace(slot, {}); !made) return made;
    }
    return place_.files.sync_directory(place_.directory);
}

Status ManifestStore::replace(std::size_t slot, ByteView content) {
    auto made = make_anew(slot, content);
    if (made || made.error().code != Errc::disk_full) return made;
    // On a full disk the old file gives its place: the other slot is valid and on the medium, this one is of no use any more.
    const auto removed = place_.files.remove(path(slot));
    if (!removed) return removed.error().code == Errc::not_found ? made : removed;
    return make_anew(slot, content);
}

Status ManifestStore::make_anew(std::size_t slot, ByteView content) {
    const std::string fresh = place_.directory + "/manifest.new";
    const auto removed = place_.files.remove(fresh);
    if (!removed && removed.error().code != Errc::not_found) return removed;
    auto file = place_.files.open(fresh, env::OpenMode::create_new);
    if (!file) return file.error();
    Bytes whole(content.begin(), content.end());
    whole.resize(kManifestSlotBytes);  // real bytes, not a reservation: overwriting them later needs no space
    if (auto wrote = (*file)->write_at(0, whole); !wrote) return wrote;
    bytes_written_ += whole.size();
    ++syncs_;
    if (auto synced = (*file)->sync(); !synced) return synced;
    if (auto renamed = place_.files.rename(fresh, path(slot)); !renamed) return renamed;
    if (auto synced = place_.files.sync_directory(place_.directory); !synced) return synced;
    slots_[slot] = {std::move(*file), {}};
    return {};
}

bool ManifestStore::has_older_key() const {
    const KeyNumber newest = place_.sealer.newest().number;
    return std::any_of(slots_.begin(), slots_.end(), [newest](const Slot& slot) { return slot.keys.size() > slot.keys.count(newest); });
}

Status ManifestStore::save(const Manifest& manifest) {
    Salt salt{};
    place_.entropy.fill(salt);
    const Bytes content = seal_manifest(manifest, generation_ + 1, salt, place_.sealer);
    const std::size_t slot = 1 - valid_slot_;
    const KeyNumber key = place_.sealer.newest().number;
    slots_[slot].keys.insert(key);  // should this fail, the medium may have the old bytes or the new ones
    if (slots_[slot].file) {
        auto wrote = slots_[slot].file->write_at(0, content);
        bytes_written_ += content.size();
        ++syncs_;
        base::pass(base::FailPoint::spool_manifest_written);
        if (wrote) wrote = slots_[slot].file->sync();
        base::pass(base::FailPoint::spool_manifest_synced);
        if (!wrote) {
            slots_[slot].file.reset();  // a failed sync is never repeated on the same file
            return wrote;
        }
    } else if (auto replaced = replace(slot, content); !replaced) {
        return replaced;
    }
    slots_[slot].keys = {key};
    valid_slot_ = slot;
    ++generation_;
    return {};
}

}  // namespace sluice::spool
