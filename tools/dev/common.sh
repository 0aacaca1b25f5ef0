# Shared by the verbs of ./dev. Sourced, with $root set and as the current folder.
# shellcheck shell=bash

# The compiler's cache finds a file again whatever folder it was cloned or built in.
export CCACHE_BASEDIR=${root:?} CCACHE_NOHASHDIR=1

fail() {
    printf './dev: %s\n' "$*" >&2
    exit 2
}

# Prints a command as one could type it, then runs it.
run() {
    printf '+ %s\n' "$*" >&2
    "$@"
}

# Loads the functions of another verb.
use() {
    # shellcheck source=/dev/null
    . "tools/dev/$1.sh"
}

# Parallel jobs: one a core, but no more than memory carries (a heavy file takes about 1.5 GB).
jobs() {
    local cores memory_kb by_memory
    cores=$(nproc)
    memory_kb=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
    by_memory=$((memory_kb / 1500000))
    [ "$by_memory" -ge 1 ] || by_memory=1
    echo $((cores < by_memory ? cores : by_memory))
}
