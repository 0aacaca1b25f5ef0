"""The tables of bench/broker.py and the goals that its results are held against."""

import dataclasses

from report import grid, mib

NAMES = {"null": "null sink", "gateway": "gateway, balanced", "gateway-low": "gateway, low", "gateway-eco": "gateway, eco",
         "mosquitto": "mosquitto", "nats": "nats", "python": "mosquitto + Python"}


def of_group(report, group):
    return [p for p in report["points"] if p["group"] == group]


def number(value, digits=2):
    return "–" if value is None else f"{value:,.{digits}f}"


def quantile(server, key, which):
    return number(server[key][which]) if server.get(key) else "–"


def cost(point, name):
    server = point["servers"].get(name)
    return server and server.get("cpu_us_per_message", server.get("cpu_us_per_delivery"))


def by(point, name):
    return number(point["gateway_by"].get(name))


# --- tables ------------------------------------------------------------------------------------------------------------------------


def fan_in(report):
    rows = [[f"{p['label']['connections']:,}", p["label"]["batch"], p["label"]["qos"],
             *(number(cost(p, name)) for name in ("null", "gateway", "mosquitto", "nats")), by(p, "null"), by(p, "mosquitto"),
             *(number(p["servers"][name]["messages_per_second"] / 1000, 0) for name in ("gateway", "mosquitto")),
             mib(p["servers"]["gateway"]["memory_peak_bytes"]), mib(p["servers"]["mosquitto"]["memory_peak_bytes"])]
            for p in of_group(report, "fan-in") + of_group(report, "batched")]
    return ["Fan-in at full speed, CPU time a message in µs, whole job at the gateway:", "",
            *grid(["connections", "messages a write", "QoS", "null sink", "gateway", "mosquitto", "nats", "gateway / null sink",
                   "gateway / mosquitto", "gateway 1,000/s", "mosquitto 1,000/s", "gateway MiB", "mosquitto MiB"], rows)]


def paced(report):
    points = of_group(report, "paced")
    if not points:
        return []
    rows = []
    for point in points:
        qos = point["label"]["qos"]
        servers = dict(point["servers"])
        for other in of_group(report, "latency"):
            if other["label"]["qos"] == qos:
                servers |= other["servers"]
        floor = cost(point, "null")
        for name in NAMES:
            if name not in servers:
                continue
            server = servers[name]
            compared = "alerts" in server and name not in ("null", "python")
            exact = "–" if not compared else "all" if server["alerts"]["perfect"] else "NO"
            rows.append([qos, NAMES[name], number(server["cpu_us_per_message"]), number(server["cpu_us_per_message"] / floor),
                         quantile(server, "alert_ms", "p50"), quantile(server, "alert_ms", "p99"), exact,
                         quantile(server, "ack_ms", "p99"), mib(server["memory_peak_bytes"]), quantile(server, "send_delay_ms", "p99")])
    label = points[0]["label"]
    return [f"{label['rate']:,} readings/s of {label['sensors']:,} sensors, each its own connection; gateway at each `latency`:", "",
            *grid(["QoS", "", "CPU µs/message", "/ null sink", "alert p50 ms", "p99", "exact", "PUBACK p99 ms", "MiB",
                   "generator late p99 ms"], rows)]


def fan_out(report):
    rows = [[f"{p['label']['subscribers']:,}", p["label"]["qos"], p["label"]["rate"] or "full speed",
             *(number(1e6 / cost(p, name), 0) for name in ("gateway", "mosquitto", "nats")),
             *(number(1 / p["gateway_by"][name] if p["gateway_by"][name] else None) for name in ("mosquitto", "nats")),
             *(number(p["servers"][name]["delivered_per_second"] / 1000, 0) for name in ("gateway", "mosquitto", "nats")),
             *(quantile(p["servers"][name], "latency_ms", "p99") for name in ("gateway", "mosquitto", "nats"))]
            for p in of_group(report, "fan-out")]
    return ["Fan-out, deliveries for each second of CPU time (more is better); then deliveries a second, and ms until the last subscriber "
            "has a message:", "",
            *grid(["subscribers", "QoS", "messages/s", "gateway", "mosquitto", "nats", "gateway / mosquitto", "gateway / nats",
                   "gateway 1,000/s", "mosquitto 1,000/s", "nats 1,000/s", "gateway p99 ms", "mosquitto p99 ms", "nats p99 ms"], rows)]


def tls(report):
    rows = [[f"{p['label']['connections']:,}", p["label"]["qos"], *(number(cost(p, name)) for name in ("gateway", "mosquitto", "nats")),
             number(1 / p["gateway_by"]["mosquitto"]), *(number(p["servers"][name]["messages_per_second"] / 1000, 0)
                                                         for name in ("gateway", "mosquitto", "nats"))]
            for p in of_group(report, "tls")]
    return ["Fan-in over TLS 1.3, one message a write, CPU time a message in µs, whole job at the gateway:", "",
            *grid(["connections", "QoS", "gateway", "mosquitto", "nats", "messages a CPU second, gateway / mosquitto", "gateway 1,000/s",
                   "mosquitto 1,000/s", "nats 1,000/s"], rows)]


def idle(report):
    result = report["idle"]
    if not result:
        return []
    stopped = ""
    if result["connections"] < result["wanted"]:
        stopped = (f" ({result['wanted']:,} were wanted: the hard limit of open files of a process is {result['files']:,} here, and "
                   "the system does not let it be raised)")
    rows = [[NAMES[name].split(",")[0], number(s["bytes_per_connection"] / 1024), number(s["kernel_bytes_per_end"] / 1024),
             number(s["tcp_queue_bytes_per_end"] / 1024), quantile(s, "ack_ms", "p50"), quantile(s, "ack_ms", "p99"),
             quantile(s, "alert_ms", "p99")] for name, s in result["servers"].items()]
    return [f"{result['connections']:,} idle connections{stopped}; then 100 sensors among them at 1,000 readings/s, QoS 1:", "",
            *grid(["", "KiB of the process a connection", "KiB of kernel slabs", "KiB in TCP's queues", "PUBACK p50 ms", "p99",
                   "alert p99 ms"], rows)]


def table(report):
    lines = [
        f"{report['date']}, commit {report['commit']}, {report['machine']}, mosquitto {report['mosquitto']}, nats-server {report['nats']}, "
        f"gateway.shards: {report['shards']}, median of {report['rounds']} rounds, ratios of each round.",
        "",
    ]
    for part in (fan_in, paced, fan_out, tls, idle):
        section = part(report)
        lines += section if len(section) > 5 else []
    lines += ["Goals:", "", *grid(["goal", "wanted", "measured", "met"],
                                  [[g.what, g.wanted, g.measured, "yes" if g.met else "NO"] for g in goals(report)])]
    return "\n".join(lines).rstrip() + "\n"


# --- goals -------------------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Goal:
    what: str
    wanted: str
    measured: str
    met: bool


def at_most(what, value, limit, digits=2):
    return [] if value is None else [Goal(what, f"≤ {limit:.{digits}f}", f"{value:.{digits}f}", value <= limit)]


def at_least(what, value, limit):
    return [] if value is None else [Goal(what, f"≥ {limit:.2f}", f"{value:.2f}", value >= limit)]


def paced_goals(point):
    qos, out = point["label"]["qos"], []
    ours, floor = point["servers"]["gateway"], point["servers"]["null"]
    out += at_most(f"paced, QoS {qos}: CPU by the null sink's", point["gateway_by"]["null"], 1.0)
    out += at_most(f"paced, QoS {qos}: CPU by that of mosquitto + Python", point["gateway_by"].get("python"), 1 / 7)
    if ours.get("alert_ms") and floor.get("alert_ms"):
        out += at_most(f"paced, QoS {qos}: p99 of the alerts by the null sink's", ours["alert_ms"]["p99"] / floor["alert_ms"]["p99"], 3)
    out += at_most(f"paced, QoS {qos}: memory, MiB", ours["memory_peak_bytes"] / 2**20, 24, 1)
    exact = ours["alerts"]["perfect"]
    return [*out, Goal(f"paced, QoS {qos}: alerts", "all exact", "all exact" if exact else str(ours["alerts"]), exact)]


def fan_in_goals(point):
    label, out = point["label"], []
    what = f"{label['connections']:,} connections, {label['batch']} a write, QoS {label['qos']}: CPU by "
    null, mosquitto = point["gateway_by"]["null"], point["gateway_by"]["mosquitto"]
    if label["batch"] > 1 and label["qos"] == 0:
        out += at_most(what + "the null sink's", null, 3) + at_most(what + "mosquitto's", mosquitto, 1 / 12)
    elif label["qos"] == 1:
        out += at_most(what + "the null sink's", null, 1) + at_most(what + "mosquitto's", mosquitto, 1 / 2)
    elif label["connections"] >= 10_000:
        out += at_most(what + "mosquitto's", mosquitto, 1)
    return out


def goals(report):
    """Those of the points that were measured."""
    out = []
    for point in report["points"]:
        mosquitto = point["gateway_by"].get("mosquitto")
        if point["group"] == "paced":
            out += paced_goals(point)
        elif point["group"] in ("fan-in", "batched"):
            out += fan_in_goals(point)
        elif point["group"] == "fan-out" and point["label"]["rate"] == 0 and mosquitto:
            label = point["label"]
            what = f"fan-out to {label['subscribers']:,}, QoS {label['qos']}: messages a CPU second by mosquitto's"
            out += at_least(what, 1 / mosquitto, 2)
        elif point["group"] == "tls" and mosquitto:
            out += at_least(f"TLS, QoS {point['label']['qos']}: messages a CPU second by mosquitto's", 1 / mosquitto, 1.3)
    if report["idle"]:
        out += at_most(f"{report['idle']['connections']:,} idle connections: KiB each",
                       report["idle"]["servers"]["gateway"]["bytes_per_connection"] / 1024, 4)
    return out
