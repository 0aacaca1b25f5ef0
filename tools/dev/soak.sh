# ./dev soak [HOURS]: simulation with seeds never used before, until the time is over or one fails.
# shellcheck shell=bash

verb_soak() {
    local hours=${1:-1} end from
    [[ $hours =~ ^[0-9]+$ ]] || fail "usage: ./dev soak [HOURS]"
    use setup
    use build
    verb_setup build web
    compile release sluice_simulate
    end=$(($(date +%s) + hours * 3600))
    from=$(date +%s)000
    while [ "$(date +%s)" -lt "$end" ]; do
        run build/release/sluice_simulate --seeds "$from..$((from + 999))"
        from=$((from + 1000))
    done
}
