#!/usr/bin/env python3
"""Runs clang-tidy over files, in parallel, and remembers clean results.

A result is kept under the hash of the preprocessed file, the checks and the tool's version: a file whose own text and headers did not
change costs one preprocessing instead of a full analysis. Only clean results are kept, so findings are always shown again.

usage: tidy.py --build build/dev [--jobs N] [--budget SECONDS] FILE...
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

TOOL = "clang-tidy-16"
PREPROCESSOR = "clang++-16"
# What GCC's command line has and clang does not know.
EXTRA = ["-Wno-unknown-warning-option", "-Wno-unused-command-line-argument"]


def commands(build: pathlib.Path) -> dict:
    """Compile commands by absolute file name, without compiler, launcher, -o, -c and -include."""
    found = {}
    for row in json.loads((build / "compile_commands.json").read_text()):
        words = shlex.split(row["command"])
        while words and not words[0].startswith("-"):
            words.pop(0)
        arguments, skip = [], False
        for word in words:
            if skip:
                skip = False
            elif word in ("-o", "-include"):  # GCC's precompiled headers; without them a file that forgets an #include is found
                skip = True
            elif word != "-c" and word != row["file"]:
                arguments.append(word)
        found.setdefault(os.path.normpath(os.path.join(row["directory"], row["file"])), (row["directory"], arguments))
    return found


def fingerprint(file: str, directory: str, arguments: list, salt: bytes) -> str:
    """Hash of what clang-tidy would see; empty when the file does not even preprocess."""
    result = subprocess.run([PREPROCESSOR, *arguments, *EXTRA, "-E", "-C", file], cwd=directory, capture_output=True, check=False)
    if result.returncode != 0:
        return ""
    return hashlib.sha256(salt + result.stdout).hexdigest()


def examine(file: str, entry: tuple, cache: pathlib.Path, salt: bytes) -> str:
    """The findings as text; empty when clean."""
    directory, arguments = entry
    key = fingerprint(file, directory, arguments, salt)
    mark = cache / key[:2] / key
    if key and mark.exists():
        return ""
    extra = [f"--extra-arg={flag}" for flag in EXTRA]
    result = subprocess.run([TOOL, "--quiet", *extra, file, "--", *arguments], cwd=directory, capture_output=True, text=True, check=False)
    if result.returncode == 0 and not result.stdout.strip():
        if key:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
        return ""
    return result.stdout if result.stdout.strip() else result.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True, help="folder with compile_commands.json")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds; what is not begun by then is left out, and said")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "sluice-tidy"
    version = subprocess.run([TOOL, "--version"], capture_output=True, check=True).stdout
    salt = version + pathlib.Path(".clang-tidy").read_bytes()
    known = commands(options.build)
    wanted = [os.path.abspath(file) for file in options.files]
    bad = left_out = 0
    end = time.monotonic() + options.budget

    def within_budget(*arguments):
        return examine(*arguments) if time.monotonic() < end else None

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        jobs = {pool.submit(within_budget, file, known[file], cache, salt): file for file in wanted if file in known}
        for job in concurrent.futures.as_completed(jobs):
            left_out += job.result() is None
            if job.result():
                bad += 1
                print(job.result(), flush=True)
    rest = f", {left_out} not looked at within {options.budget:.0f} s" if left_out else ""
    print(f"clang-tidy: {len(jobs)} files, {bad} with findings{rest}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
