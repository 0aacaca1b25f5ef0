#include <array>

#include "manage/config/keys.hpp"

namespace sluice::config {
namespace {

using enum KeyKind;

constexpr std::array kKeys{
    Key{.path = "uplink", .text = "The cloud. Absent: events for the cloud wait in the spool."},
    Key{.path = "uplink.url",
        .kind = url,
        .text = "`sluice://HOST[:PORT]` (port 1884), `sluices://HOST[:PORT]` (TLS, port 8884): a Sluice cloud. `mqtt://HOST[:PORT]`, "
                "`mqtts://HOST[:PORT]`: any broker. "
                "`aws://ENDPOINT[:443]`: AWS IoT Core. `azure://HUB`: Azure IoT Hub. `http(s)://HOST[:PORT][/PATH]`: POST requests. "
                "`nats://HOST[:PORT]`: NATS JetStream. `kafka(s)://HOST[:PORT][,HOST[:PORT]…]`: Kafka. What each guarantees: uplinks.md."},
    Key{.path = "uplink.token",
        .kind = secret,
        .text = "What this gateway signs in with at a Sluice cloud (without: taken from its own machine only), or at a receiver over HTTP "
                "(Bearer)."},
    Key{.path = "uplink.token_file", .kind = existing, .text = "File that holds the token, instead of `token`."},
    Key{.path = "uplink.user", .kind = text, .text = "What this gateway signs in with at a broker, at Kafka (SASL), or over HTTP (Basic)."},
    Key{.path = "uplink.password", .kind = secret, .text = "The user's password; at Azure IoT Hub the device's shared access key."},
    Key{.path = "uplink.password_file", .kind = existing, .text = "File that holds the password, instead of `password`."},
    Key{.path = "uplink.client_id", .kind = text, .text = "At a broker; at Azure IoT Hub the device's id. Absent: the gateway's id."},
    Key{.path = "uplink.version",
        .kind = choice,
        .fallback = "auto",
        .choices = "auto | 5 | 3.1.1",
        .text = "Of MQTT, at a broker. `auto`: 5.0, and 3.1.1 where the broker does not know that."},
    Key{.path = "uplink.topic",
        .kind = text,
        .fallback = "sluice/{gateway}/{class}",
        .text = "Where a broker gets the events; `{gateway}`, `{class}`, and but for batches `{rule}` stand for their names. With NATS the "
                "subject: `sluice.{gateway}.{class}`; with Kafka `sluice-{class}`."},
    Key{.path = "uplink.servers",
        .kind = list,
        .text = "NATS: more servers of the same cluster, HOST[:PORT]; those that it names are known too."},
    Key{.path = "uplink.servers[]", .kind = text, .text = "One of them."},
    Key{.path = "uplink.stream", .kind = text, .fallback = "SLUICE", .text = "NATS: the stream; made where there is none of this name."},
    Key{.path = "uplink.replicas",
        .kind = integer,
        .fallback = "1",
        .min = "1",
        .max = "5",
        .text = "NATS: of a stream that is made: on how many servers each message is."},
    Key{.path = "uplink.compression",
        .kind = choice,
        .fallback = "zstd",
        .choices = "none | gzip | lz4 | zstd",
        .text = "Kafka: how messages are compressed. `zstd` needs Kafka 2.1; Azure Event Hubs takes `gzip` only."},
    Key{.path = "uplink.sasl",
        .kind = choice,
        .fallback = "plain",
        .choices = "plain | scram-sha-256 | scram-sha-512",
        .text = "Kafka: how `user` and `password` sign in."},
    Key{.path = "uplink.payload",
        .kind = choice,
        .fallback = "batch",
        .choices = "batch | envelope | data",
        .text = "What a cloud that is not Sluice's gets: `batch`: one JSON object with many events; `envelope`: one object for each event, "
                "with its number; "
                "`data`: the row alone (its number is a user property with MQTT 5.0)."},
    Key{.path = "uplink.message_bytes",
        .kind = size,
        .fallback = "128KiB",
        .min = "1KiB",
        .max = "1MiB",
        .text = "Of one batch, at most (but for a single event, whatever its size)."},
    Key{.path = "uplink.status_topic",
        .kind = text,
        .text = "Where a broker gets the gateway's own account, retained, every few seconds; `{gateway}` stands for its id. Absent: none."},
    Key{.path = "uplink.cert", .kind = existing, .text = "Client certificate (PEM), where there is TLS."},
    Key{.path = "uplink.key", .kind = existing, .text = "Its private key (PEM)."},
    Key{.path = "uplink.ca", .kind = existing, .text = "Certificates (PEM) that sign the cloud's. Absent: those of the system."},
    Key{.path = "uplink.keep_alive", .kind = duration, .fallback = "30s", .min = "1s", .max = "1h", .text = "Longest silence on the link."},
    Key{.path = "uplink.ack_timeout",
        .kind = duration,
        .fallback = "20s",
        .min = "1s",
        .max = "1h",
        .text = "A batch not acknowledged for so long: the connection is remade and what was not acknowledged is sent again."},
    Key{.path = "uplink.retry_max",
        .kind = duration,
        .fallback = "30s",
        .min = "1s",
        .max = "1h",
        .text = "Longest pause between two attempts to connect; they begin at 250 ms and double, with jitter."},
    Key{.path = "uplink.drain_rate",
        .kind = integer,
        .fallback = "100000",
        .min = "0",
        .max = "100000000",
        .text = "Events a second of all classes when the backlog drains; 0: as fast as the link."},
    Key{.path = "uplink.in_flight",
        .kind = integer,
        .fallback = "16",
        .min = "2",
        .max = "1024",
        .text = "Batches sent and not yet acknowledged; lower classes use all but a quarter."},
    Key{.path = "uplink.classes",
        .kind = map,
        .text = "Classes of events, up to 16. `alert` (priority 0, 7d), `aggregate` (1, 2d) and `sample` (2, 1d) are always there; written "
                "here, they can be changed and others added."},
    Key{.path = "uplink.classes.*", .text = "One class; its name as an identifier."},
    Key{.path = "uplink.classes.*.priority",
        .kind = integer,
        .min = "0",
        .max = "15",
        .text = "0 goes first and is dropped last. Required for a class of your own."},
    Key{.path = "uplink.classes.*.ttl",
        .kind = duration,
        .min = "1s",
        .max = "3650d",
        .text = "An event that has waited so long is dropped: ledger, `ttl`. Required for a class of your own."},
    Key{.path = "uplink.classes.*.max_share",
        .kind = percent,
        .fallback = "100%",
        .min = "5%",
        .max = "100%",
        .text =
            "What the class may take of `spool.max_bytes`. Then its own events go, by `drop`: ledger, `spool_full`; one that needs more "
            "than half of it is `too_large`."},
    Key{.path = "uplink.classes.*.drop",
        .kind = choice,
        .fallback = "oldest",
        .choices = "oldest | newest",
        .text = "Which of its events go when the class is at its share, or the spool is full and it is the lowest class: `oldest`: the "
                "latest count; `newest`: the first count, and it takes new ones again when an eighth of its share is free."},
    Key{.path = "uplink.classes.*.to",
        .kind = list,
        .shorthand = "[]",
        .text = "Which uplinks get its events: `main` (this one) and names of `uplinks`. Absent: all that there are."},
    Key{.path = "uplink.classes.*.to[]", .kind = identifier, .text = "One of them."},
    Key{.path = "uplinks",
        .kind = map,
        .text = "More clouds beside `uplink`, each under a name of its own. What a class has for one of them is stored and numbered on its "
                "own, as "
                "the class `CLASS@NAME`: with its own position, `ttl` and place in the ledger. Classes times uplinks: up to 16."},
    Key{.path = "uplinks.*", .like = "uplink", .text = "One more cloud, with the keys of `uplink`, but for `classes`."},
};

}  // namespace

std::span<const Key> uplink_keys() { return kKeys; }

}  // namespace sluice::config
