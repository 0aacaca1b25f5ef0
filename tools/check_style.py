#!/usr/bin/env python3
"""Checks what no compiler checks: sizes, marks of unfinished work, READMEs, sleeping tests.

A file over its limit needs a line in tools/exceptions.txt (`path  # reason`), a list that only shrinks: an entry that is no longer needed
is a finding too.

usage: check_style.py [ROOT]     exit 0: fine, 1: findings on stdout as FILE:LINE: message
"""

import pathlib
import re
import subprocess
import sys

LINES_MAX = 600
WIDTH_MAX = 140
SOURCES = (".cpp", ".hpp", ".h", ".py", ".ts", ".mjs", ".sh", ".css")
CPP = (".cpp", ".hpp", ".h")
# Split so that this file does not find itself.
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
SLEEPS = re.compile(r"\b(sleep_for|sleep_until|usleep)\s*\(")


def listed_files(root: pathlib.Path) -> list:
    """Files that are, or are about to be, committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return sorted({line for line in result.stdout.splitlines() if (root / line).is_file()})


def exceptions(root: pathlib.Path) -> dict:
    found = {}
    place = root / "tools" / "exceptions.txt"
    for number, line in enumerate(place.read_text(encoding="utf-8").splitlines() if place.exists() else [], start=1):
        path, _, reason = line.partition("#")
        if path.strip():
            found[path.strip()] = (number, reason.strip())
    return found


def check_text(name: str, lines: list) -> list:
    """Findings inside one file as (line, message)."""
    found = []
    for number, line in enumerate(lines, start=1):
        if UNFINISHED.search(line):
            found.append((number, "a mark of unfinished work: finish it, or file an issue and say so in the commit"))
        if line.rstrip() != line:
            found.append((number, "white space at the end of the line"))
        if "\t" in line:
            found.append((number, "a tab; indent with spaces"))
        if len(line) > WIDTH_MAX and not name.endswith(CPP):  # clang-format looks after C++
            found.append((number, f"{len(line)} columns; the limit is {WIDTH_MAX}"))
        if name.endswith("_test.cpp") and SLEEPS.search(line):
            found.append((number, "a unit test that sleeps: advance the simulated clock or wait on an event"))
    if name.endswith((".hpp", ".h")) and "#pragma once" not in lines:
        found.append((1, "a header without #pragma once"))
    return found


def check(root: pathlib.Path) -> list:
    """All findings as (file, line, message)."""
    found = []
    excused = exceptions(root)
    needed = set()
    folders = set()
    for name in listed_files(root):
        if not name.endswith(SOURCES):
            continue
        lines = (root / name).read_text(encoding="utf-8").splitlines()
        found.extend((name, line, text) for line, text in check_text(name, lines))
        if len(lines) > LINES_MAX:
            needed.add(name)
            if name not in excused:
                found.append((name, len(lines), f"{len(lines)} lines; the limit is {LINES_MAX}: split it along its responsibilities"))
        if name.startswith(("src/", "sim/")) and name.endswith(CPP):
            folders.add(str(pathlib.PurePosixPath(name).parent))
    for name, (line, reason) in excused.items():
        if name not in needed:
            found.append(("tools/exceptions.txt", line, f"{name} is within the limits: remove this line"))
        elif not reason:
            found.append(("tools/exceptions.txt", line, f"{name} needs a reason after a #"))
    for folder in sorted(folders):
        if not (root / folder / "README.md").exists():
            found.append((folder, 1, "a folder without README.md: purpose, main types, threads, what it must never do"))
    return found


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    found = check(root)
    for file, line, text in found:
        print(f"{file}:{line}: {text}")
    print(f"style: {len(found)} findings", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
