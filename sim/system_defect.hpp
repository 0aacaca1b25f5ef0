// Deliberate defects: the rig must catch each of them, or it proves nothing.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace sluice::sim {

enum class Defect : std::uint8_t {
    none,
    ack_before_fsync,          ///< the gateway acknowledges readings before their events are on disk
    delete_before_ack,         ///< the uplink forgets events when it has sent them
    reuse_sequences,           ///< after a restart the gateway numbers its events from 1 again
    cloud_acks_before_commit,  ///< the cloud acknowledges batches before they are stored
    cloud_forgets_positions,   ///< the cloud stores resent events again
    drop_silently,             ///< the gateway never tells the cloud which events are gone
};

struct DefectInfo {
    Defect defect;
    std::string_view name;
};
inline constexpr std::array kDefects{
    DefectInfo{Defect::none, "none"},
    DefectInfo{Defect::ack_before_fsync, "ack-before-fsync"},
    DefectInfo{Defect::delete_before_ack, "delete-before-ack"},
    DefectInfo{Defect::reuse_sequences, "reuse-sequences"},
    DefectInfo{Defect::cloud_acks_before_commit, "cloud-acks-before-commit"},
    DefectInfo{Defect::cloud_forgets_positions, "cloud-forgets-positions"},
    DefectInfo{Defect::drop_silently, "drop-silently"},
};

}  // namespace sluice::sim
