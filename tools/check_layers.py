#!/usr/bin/env python3
"""Checks that includes follow the order of the folders (docs/architecture.md) and that pure code stays pure.

A folder includes only folders that stand before it; stages of src/flow never include each other, nor do the folders of src/manage:
they meet in src/gateway/wiring.cpp. Only src/env/posix talks to the operating system. Every message says what to do instead.

usage: check_layers.py [ROOT]     exit 0: fine, 1: findings on stdout as FILE:LINE: message
"""

import pathlib
import re
import sys

MEET = (
    "they meet in src/gateway/wiring.cpp: declare the small interface that you need in your own ports.hpp, let the other side (or the "
    "wiring) implement it, and join them in the wiring"
)
DOWN = "move what both need to a folder that stands before both (src/base, src/data), or turn the dependency round with an interface"

FLOW = ["src/flow/connectors", "src/flow/hub", "src/flow/rules", "src/flow/router", "src/flow/spool", "src/flow/uplink", "src/flow/bridge"]
GROUND = ["src/base", "src/data"]
PURE = ["device", *GROUND, "src/env", "src/codec/*"]
STAGES = [*PURE, "src/flow/*", "src/manage/*"]

# folder: the folders that it may include besides itself. '*' stands for any one folder. The first row that matches counts.
ALLOWED = [
    ("device", []),
    ("src/base", []),
    ("src/data", ["src/base"]),
    ("src/env/posix", ["src/env", *GROUND]),
    ("src/env/sqlite", GROUND),
    ("src/env", GROUND),
    ("src/codec/wire", [*GROUND, "src/codec/zstd"]),
    ("src/codec/*", GROUND),
    ("src/flow/*", PURE),
    ("src/manage/*", PURE),
    ("web/embed", ["src/base"]),
    ("src/gateway", [*STAGES, "src/env/posix", "src/env/sqlite", "src/gateway/*", "web/embed"]),
    ("src/gateway/*", [*STAGES, "src/env/posix", "src/gateway", "src/gateway/*"]),
    ("src/cloud", [*STAGES, "src/env/posix", "src/env/sqlite", "src/gateway", "web/embed"]),
    ("src/cli", [*STAGES, "src/env/posix", "src/gateway", "src/cloud", "src/cli/*", "web/embed"]),
    ("src/cli/*", [*STAGES, "src/env/posix", "src/gateway", "src/cloud", "src/cli", "src/cli/*"]),
    ("sim", [*STAGES, "src/gateway", "src/cloud"]),
]

# What a unit test beside the code may include in addition: the simulated clock, disk and network.
TEST_EXTRA = ["sim"]

OUTSIDE = re.compile(
    r"^(boost/(asio|beast)|sys/(epoll|socket|un|eventfd|timerfd|mman|file|stat|uio)\.h|netinet/|arpa/inet\.h|netdb\.h|poll\.h"
    r"|unistd\.h|fcntl\.h|signal\.h|fstream$|filesystem$|thread$|mutex$|shared_mutex$|condition_variable$|future$)"
)
NETWORK = re.compile(r"^(boost/(asio|beast)|sys/(epoll|socket|un|eventfd|timerfd)\.h|netinet/|arpa/inet\.h|netdb\.h|poll\.h)")
# Beast's parser of HTTP is pure: bytes in, fields out. (Its server and its streams are not.)
PURE_PARSERS = {"src/codec/http": re.compile(r"^boost/beast/http/(empty_body|string_body|parser|message|fields|error)\.hpp$")}
# Folders whose code takes bytes, time, randomness and storage as arguments.
NO_OUTSIDE = ["device", "src/base", "src/data", "src/env", "src/codec/*", "src/flow/*", "src/manage/*"]
# Folders that may use the network through src/env/posix only.
NO_NETWORK = [*NO_OUTSIDE, "src/gateway", "src/gateway/*", "src/cloud", "src/cli", "src/cli/*"]
IMPURE_CALLS = [
    (re.compile(r"\b(system_clock|steady_clock|high_resolution_clock)::now\b"),
     "reads a clock: take the time as an argument or use env::Clock"),
    (re.compile(r"\bstd::random_device\b"), "reads randomness: use env::Entropy"),
    (re.compile(r"\b(std::this_thread::sleep_|usleep\(|nanosleep\()"), "sleeps: return a deadline instead (next_deadline())"),
]
COROUTINE = re.compile(r"\bco_(await|return|yield)\b")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCES = (".cpp", ".hpp", ".h")


def matches(folder: str, pattern: str) -> bool:
    """'src/flow/*' stands for src/flow/hub and everything below it; 'src/env' only for itself."""
    if pattern.endswith("/*"):
        return folder.startswith(pattern[:-1])
    return folder == pattern


def rule_of(folder: str):
    """The row of ALLOWED for a folder, trying the folder itself, then its parents (src/flow/rules/functions belongs to src/flow/rules)."""
    for pattern, allowed in ALLOWED:
        if matches(folder, pattern):
            return allowed
    return None


def unit_of(folder: str) -> str:
    """The module a folder belongs to: folders below src/flow/x, src/codec/x, src/manage/x, src/cli/x are parts of x."""
    parts = folder.split("/")
    if parts[:1] == ["src"] and len(parts) > 3 and parts[1] in ("flow", "codec", "manage", "cli"):
        return "/".join(parts[:3])
    return folder


def target_folder(root: pathlib.Path, including: pathlib.Path, name: str):
    """Folder (from the root) of a quoted include, or None when it is not ours."""
    for base in (root / "src", root / "device" / "include", root / "web", root, including.parent):
        candidate = (base / name).resolve()
        if candidate.is_file() and candidate.is_relative_to(root):
            folder = candidate.parent.relative_to(root).as_posix()
            return "device" if folder.startswith("device") else unit_of(folder)
    return None


def judge_include(folder: str, target: str, is_test: bool):
    """None when fine, else what is wrong and what to do instead."""
    allowed = rule_of(folder)
    if target == folder or allowed is None:
        return None
    if any(matches(target, pattern) for pattern in (allowed + TEST_EXTRA if is_test else allowed)):
        return None
    said = f"{folder} includes {target}"
    both = tuple(part.split("/")[1] for part in (folder, target) if part.startswith(("src/flow/", "src/manage/")))
    if len(both) == 2:
        what = {("flow", "flow"): "stages of src/flow", ("manage", "manage"): "folders of src/manage"}.get(both, "src/flow and src/manage")
        return f"{said}, but {what} never include each other; {MEET}"
    if target == "src/env/posix":
        return f"{said}, but only src/gateway, src/cloud and src/cli may; use the interface in src/env and take it by reference"
    if folder.startswith("src/codec/"):
        return f"{said}, but a codec is a pure function of bytes and knows only src/base and src/data; {DOWN}"
    return f"{said}, which does not stand before it in the order of the layers; {DOWN}"


def without_comment(line: str) -> str:
    return line.split("//", 1)[0]


def check_file(root: pathlib.Path, file: pathlib.Path) -> list:
    folder = file.parent.relative_to(root).as_posix()
    folder = "device" if folder.startswith("device") else unit_of(folder)
    is_test = file.stem.endswith("_test")
    is_posix = folder == "src/env/posix"
    pure = not is_test and not is_posix and any(matches(folder, pattern) for pattern in NO_OUTSIDE)
    offline = not is_posix and any(matches(folder, pattern) for pattern in NO_NETWORK)
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        include = INCLUDE.match(line)
        if include:
            name = include.group(2)
            target = target_folder(root, file, name) if include.group(1) == '"' else None
            problem = judge_include(folder, target, is_test) if target else None
            if problem:
                found.append((number, problem))
            if folder in PURE_PARSERS and PURE_PARSERS[folder].match(name):
                continue
            if pure and OUTSIDE.match(name):
                found.append((number, f"{folder} includes <{name}>, but logic here takes bytes, time and storage as arguments; "
                              "do it in src/env/posix behind an interface of src/env"))
            elif offline and NETWORK.match(name):
                found.append((number, f"{folder} includes <{name}>, but only src/env/posix opens sockets; use its event loop and servers"))
            continue
        code = without_comment(line)
        if COROUTINE.search(code):
            found.append((number, "coroutines are not used: GCC 12 destroys some temporaries of a co_await twice; write a state machine"))
        if pure:
            found.extend((number, f"{folder} {text}") for pattern, text in IMPURE_CALLS if pattern.search(code))
    return found


def check(root: pathlib.Path) -> list:
    """All findings as (file from the root, line, message)."""
    found = []
    for top in ("device", "src", "sim", "web/embed"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix in SOURCES and file.is_file():
                found.extend((file.relative_to(root).as_posix(), line, text) for line, text in check_file(root, file))
    return found


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    found = check(root)
    for file, line, text in found:
        print(f"{file}:{line}: {text}")
    print(f"layers: {len(found)} findings", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
