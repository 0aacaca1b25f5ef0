# ./dev soak [HOURS]: simulation with seeds never used before, of all families in turn, until the time is over or one fails.
# shellcheck shell=bash

verb_soak() {
    local hours=${1:-1} end from family
    [[ $hours =~ ^[0-9]+$ ]] || fail "usage: ./dev soak [HOURS]"
    use setup
    use build
    verb_setup build web
    compile release sluice_simulate
    end=$(($(date +%s) + hours * 3600))
    from=$(date +%s)000
    while [ "$(date +%s)" -lt "$end" ]; do
        for family in mixed rough lasting; do
            run build/release/sluice_simulate --family "$family" --seeds "$from..$((from + 999))"
        done
        from=$((from + 1000))
    done
}
