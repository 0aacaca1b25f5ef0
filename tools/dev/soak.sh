# ./dev soak [HOURS]: simulation with seeds never used before, of all families in turn, until the time is over or one fails.
# ./dev soak real [HOURS]: real processes, memory and files watched (tests/system/soak_test.py).
# shellcheck shell=bash

soak_real() {
    local hours=$1
    verb_setup build web test
    compile release sluice
    SLUICE_BINARY=${root:?}/build/release/sluice SLUICE_SOAK_SECONDS=$((hours * 3600)) run python3 tests/system/soak_test.py
}

verb_soak() {
    local real=0
    if [ "${1:-}" = real ]; then
        real=1
        shift
    fi
    local hours=${1:-1} end from family
    [[ $hours =~ ^[0-9]+$ ]] || fail "usage: ./dev soak [real] [HOURS]"
    use setup
    use build
    if [ "$real" = 1 ]; then
        soak_real "$hours"
        return
    fi
    verb_setup build web
    compile release sluice_simulate
    end=$(($(date +%s) + hours * 3600))
    from=$(date +%s)000
    while [ "$(date +%s)" -lt "$end" ]; do
        for family in mixed rough lasting stateful; do
            run build/release/sluice_simulate --family "$family" --seeds "$from..$((from + 999))"
        done
        from=$((from + 1000))
    done
}
