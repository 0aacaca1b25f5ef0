"""What the benchmarks' results have in common: the machine, the load generator, tables, and their place in docs/benchmarks.md."""

import contextlib
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

from servers import ROOT, binary_of

PAGE = ROOT / "docs" / "benchmarks.md"
BASELINES = ROOT / "bench" / "baselines"


def say(text):
    print(text, file=sys.stderr, flush=True)


def first_version(command):
    """The first thing that looks like a version in what a program says of itself."""
    with contextlib.suppress(OSError):
        done = subprocess.run(command, capture_output=True, text=True)
        found = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
        if found:
            return found.group()
    return "unknown"


def machine():
    model = platform.machine()
    with contextlib.suppress(OSError):
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Linux {platform.release()}",
        "mosquitto": first_version([binary_of("mosquitto") or "mosquitto", "-h"]),
        "commit": commit or "unknown",
    }


def load(build, server, verb, **options):
    """One run of the load generator against a server, as it reports it. Underscores of option names are dashes, True is a flag."""
    command = [str(build / "sluice_loadgen"), verb, "--to", server.url()]
    if server.tls:
        command += ["--ca", str(server.folder / "cert.pem")]
    for process in server.watched:
        command += ["--watch", str(process)]
    for key, value in options.items():
        command += [f"--{key.replace('_', '-')}"] + ([] if value is True else [str(value)])
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"bench: the load generator failed against {server.name}: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    if result.get("reconnects"):
        raise SystemExit(f"bench: {server.name} closed {result['reconnects']} connections under load: what was sent on them may be lost")
    return result


def row(cells):
    return "| " + " | ".join(str(c) for c in cells) + " |"


def grid(head, rows):
    """A Markdown table, numbers to the right, with an empty line behind it."""
    return [row(head), row(["---:"] * len(head)), *(row(cells) for cells in rows), ""]


def mib(size):
    return f"{size / 2**20:.1f}"


def save(name, report, text):
    """Keeps the report as a baseline and puts the text between the page's marks."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    BASELINES.mkdir(exist_ok=True)
    baseline = BASELINES / f"{name}.json"
    baseline.write_text(json.dumps(report, indent=2) + "\n")
    page = PAGE.read_text()
    if begin not in page or end not in page:
        raise SystemExit(f"bench: {PAGE} has lost its marks {begin} … {end}")
    head, rest = page.split(begin, 1)
    PAGE.write_text(head + begin + "\n" + text + end + rest.split(end, 1)[1])
    say(f"saved to {PAGE.relative_to(ROOT)} and {baseline.relative_to(ROOT)}")


def conclude(name, args, report, text, missed):
    """What every benchmark does at its end with --json, --save and --check; the exit status."""
    if args.json == "-":
        print(json.dumps(report, indent=2))
    else:
        print(text)
        if args.json:
            pathlib.Path(args.json).write_text(json.dumps(report, indent=2) + "\n")
    for each in missed:
        say(f"goal missed: {each}")
    if args.save:
        save(name, report, text)
    return 1 if args.check and missed else 0


def needs(build, binaries, daemons):
    for name in binaries:
        if not (build / name).exists():
            raise SystemExit(f"bench: {build / name} is not built: run it as ./dev bench …, or ./dev build release first")
    for name in daemons:
        if binary_of(name) is None:
            raise SystemExit(f"bench: {name} is not installed: apt install {name}")
