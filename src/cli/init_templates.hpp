// What `sluice init` writes. `@ID@` becomes the name of the gateway or cloud. Every line that is not a comment works as it stands (a test
// checks them).
#pragma once

#include <string_view>

namespace sluice::cli {

inline constexpr std::string_view kGatewayTemplate =
    R"(# A Sluice gateway. All keys: docs/configuration.md.   sluice check -c gateway.yaml   says what is wrong with this file, and where.
gateway:
  id: @ID@
  data: ./var                     # spool, keys, state: back up var/keys
listen:
  mqtt: [tcp://127.0.0.1:1883]    # sensors elsewhere: tcp://0.0.0.0:1883, and say who may come:
  http: 127.0.0.1:8080            # page, API, /metrics, /healthz
# auth: {users: users.yaml}       # sluice passwd users.yaml NAME; or {anonymous: true}: everyone who can reach the listeners
rules:                            # SQL over topics: docs/sql.md
  - id: vibration-anomaly         # alert: further than 3 standard deviations from the last 100 readings of the same device
    sql: |
      SELECT device, ts, vibration, zscore(vibration, 100) OVER (PARTITION BY device) AS z
      FROM 'sensors/+/vibration'
      WHERE abs(z) > 3
    to:
      - topic: alerts/{device}    # local subscribers, within milliseconds, with or without a network
      - cloud: alert              # and the cloud, when it can be reached
  - id: vibration-average         # one row instead of ten
    sql: |
      SELECT device, avg(vibration) AS average_vibration, count(*) AS samples
      FROM 'sensors/+/vibration' GROUP BY device, COUNTWINDOW(10)
    to: [{cloud: aggregate}]
uplink:
  url: sluice://127.0.0.1:1884    # sluice init cloud, sluice cloud
  token_file: keys/uplink.token   # a cloud on another machine must know it
spool: {max_bytes: 256MiB}        # what waits for the cloud on disk, encrypted
)";

inline constexpr std::string_view kCloudTemplate =
    R"(# A Sluice cloud. All keys: docs/configuration.md.   sluice check -c cloud.yaml   says what is wrong with this file, and where.
cloud:
  id: @ID@
  data: ./var                     # the events of all gateways (SQLite)
listen:
  mqtt: [tcp://127.0.0.1:1884]    # gateways elsewhere: tcp://0.0.0.0:1884, with their tokens below
  http: 127.0.0.1:8081            # API, /metrics, /healthz
auth:
  tokens: []                      # gateways on this machine need none; the others, a line each:
  # - {gateway: plant-1, token_file: keys/plant-1.token}     a copy of that gateway's keys/uplink.token
store: sqlite
)";

}  // namespace sluice::cli
