#include <array>

#include "manage/config/keys.hpp"

namespace sluice::config {
namespace {

using enum KeyKind;

constexpr std::array kKeys{
    Key{.path = "cloud", .required = true, .text = "Who this cloud is."},
    Key{.path = "cloud.id", .kind = identifier, .required = true, .text = "Its name: letters, digits, `_` and `-`, up to 64."},
    Key{.path = "cloud.data", .kind = path, .fallback = "./var", .text = "Folder of everything it stores; made with mode 0700."},

    Key{.path = "listen", .text = "Where it can be reached."},
    Key{.path = "listen.mqtt", .kind = list, .fallback = "[]", .text = "For gateways, any number of listeners."},
    Key{.path = "listen.mqtt[]", .shorthand = "url", .text = "One listener: its URL, or a mapping with more keys."},
    Key{.path = "listen.mqtt[].url",
        .kind = url,
        .required = true,
        .text = "`tcp://HOST:PORT` or `tls://HOST:PORT` with an IP address or `localhost`; port 0: any free one. Not built yet: `ws://`, "
                "`wss://`, `unix:///PATH`."},
    Key{.path = "listen.mqtt[].cert",
        .kind = existing,
        .text = "Certificate chain (PEM) of a `tls` listener. New ones are taken by `sluice reload`."},
    Key{.path = "listen.mqtt[].key", .kind = existing, .text = "Its private key (PEM)."},
    Key{.path = "listen.mqtt[].ca",
        .kind = existing,
        .text = "Certificates (PEM) that sign gateways'. A gateway with one needs no token: its common name must be its `gateway.id`."},
    Key{.path = "listen.mqtt[].crl",
        .kind = existing,
        .text = "Revocation lists (PEM) of these: whose certificate is on it stays outside."},
    Key{.path = "listen.mqtt[].require_client_cert",
        .kind = boolean,
        .fallback = "false",
        .text = "Only gateways with a certificate of `ca`."},
    Key{.path = "listen.http", .kind = address, .text = "API, `/metrics` and `/healthz`: `HOST:PORT`. Absent: none."},

    Key{.path = "auth", .text = "Which gateways may sign in. Absent: any, from this machine only."},
    Key{.path = "auth.anonymous",
        .kind = boolean,
        .fallback = "false",
        .text = "Gateways without a token below may sign in from wherever a listener can be reached, not from this machine only."},
    Key{.path = "auth.tokens", .kind = list, .fallback = "[]", .text = "A gateway that has a token must show it, wherever it comes from."},
    Key{.path = "auth.tokens[]", .text = "The token of one gateway: `token` or `token_file`."},
    Key{.path = "auth.tokens[].gateway", .kind = identifier, .required = true, .text = "Its `gateway.id`; unique."},
    Key{.path = "auth.tokens[].token", .kind = secret, .text = "Its token."},
    Key{.path = "auth.tokens[].token_file", .kind = existing, .text = "File that holds the token."},

    Key{.path = "limits", .text = "Everything that grows has a limit; what is refused is counted in `/metrics`."},
    Key{.path = "limits.connections",
        .kind = integer,
        .fallback = "10000",
        .min = "1",
        .max = "1000000",
        .text = "Gateways at a time. Further ones are told that the server is busy and closed: `connections_refused`."},
    Key{.path = "limits.connect_timeout",
        .kind = duration,
        .fallback = "10s",
        .min = "1s",
        .max = "10m",
        .text = "From the TCP connection to a complete CONNECT. Then closed: `connect_timeouts`."},
    Key{.path = "limits.keep_alive_max", .kind = duration, .fallback = "18h", .min = "1s", .max = "65535s", .text = "Longest keep-alive."},
    Key{.path = "limits.payload",
        .kind = size,
        .fallback = "4MiB",
        .min = "3MiB",
        .max = "64MiB",
        .text = "A batch as it travels; the wire format's own bound is 2 MiB. The sender of a larger packet is closed: `protocol_errors`."},
    Key{.path = "limits.in_flight",
        .kind = integer,
        .fallback = "64",
        .min = "1",
        .max = "65535",
        .text = "Batches of one gateway that are not stored yet; gateways are told."},
    Key{.path = "limits.store_queue_bytes",
        .kind = size,
        .fallback = "64MiB",
        .min = "4MiB",
        .max = "64GiB",
        .text = "Decoded and not yet stored, of all gateways. Then the cloud stops reading until the store has caught up."},

    Key{.path = "store",
        .kind = text,
        .fallback = "sqlite",
        .text = "Where events are stored: `sqlite` (in `cloud.data`). Not built yet: `postgres://…`."},
    Key{.path = "bus", .kind = text, .fallback = "embedded", .text = "How parts of the cloud talk: `embedded`. Not built yet: `nats://…`."},
    Key{.path = "lake", .built = false, .text = "Parquet files for analysis."},
    Key{.path = "lake.url", .kind = url, .required = true, .text = "`file:///FOLDER` or `s3://BUCKET/PREFIX`."},

    Key{.path = "log", .text = "What goes to standard error, one line each."},
    Key{.path = "log.level",
        .kind = choice,
        .fallback = "info",
        .choices = "debug | info | warning | error",
        .text = "From which level on."},
    Key{.path = "log.format", .kind = choice, .fallback = "text", .choices = "text | json", .text = "For people or for machines."},
};

}  // namespace

std::span<const Key> cloud_keys() { return kKeys; }

}  // namespace sluice::config
