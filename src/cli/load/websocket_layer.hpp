// codec/websocket's client as a layer of a connection that we make.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "env/posix/stream_layer.hpp"

namespace sluice::load {

[[nodiscard]] std::unique_ptr<posix::StreamLayer> make_websocket_layer(const std::string& host, std::uint16_t port,
                                                                       const std::string& path);

}  // namespace sluice::load
