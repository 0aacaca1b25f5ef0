#include "gateway/named_keys.hpp"

#include <algorithm>

#include "flow/spool/key_scan.hpp"
#include "gateway/document_keys.hpp"
#include "gateway/session_database.hpp"

namespace sluice::gateway {

identity::KeyNumber greatest_named_key(env::FileSystem& files, const std::string& data) {
    identity::KeyNumber out = 0;
    for (const char* folder : {"/spool", "/state/journal"}) {
        if (const auto named = spool::scan_keys(files, data + folder); named && !named->empty())
            out = std::max(out, named->back().key.number);
    }
    if (const auto documents = document_keys(files, data + "/state")) {
        for (const auto& each : *documents) out = std::max(out, each.key);
    }
    if (out != 0) return out;
    const auto sessions = SessionDatabase::scan_named_key(data + "/sessions");
    return sessions ? sessions->key : out;
}

}  // namespace sluice::gateway
