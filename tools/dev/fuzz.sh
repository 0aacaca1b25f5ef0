# ./dev fuzz [NAME|--all] [SECONDS]
# shellcheck shell=bash

fuzz_names() { cat build/fuzz/fuzz_targets.txt; }

# fuzz_one NAME SECONDS: new inputs go to build/fuzz/corpus, never into the repository; a crash is kept beside them.
fuzz_one() {
    local name=$1 seconds=$2 grown=build/fuzz/corpus/$1 found=build/fuzz/found/$1
    mkdir -p "$grown" "$found"
    local seeds=()
    [ ! -d "fuzz/corpus/$name" ] || [ "$name" = canary ] || seeds=("fuzz/corpus/$name")
    run "build/fuzz/${name}_fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$found/" "$grown" "${seeds[@]}"
}

# The target with a planted defect: finding it proves that the rig works.
fuzz_canary_is_found() {
    if fuzz_one canary 60 >build/fuzz/canary.log 2>&1; then
        echo "the canary's planted defect was not found within 60 s: the fuzzing rig does not work; see build/fuzz/canary.log" >&2
        return 1
    fi
    grep -q 'deadly signal' build/fuzz/canary.log
}

# fuzz_all SECONDS: each target for SECONDS; returns the number of targets that failed.
fuzz_all() {
    local seconds=$1 name failed=0
    fuzz_canary_is_found || failed=$((failed + 1))
    for name in $(fuzz_names); do
        [ "$name" != canary ] || continue
        fuzz_one "$name" "$seconds" >"build/fuzz/$name.log" 2>&1 || {
            failed=$((failed + 1))
            printf 'fuzz %s: FAILED\n' "$name" >&2
            tail -n 30 "build/fuzz/$name.log" >&2
            continue
        }
        printf 'fuzz %-20s %s inputs\n' "$name" "$(awk '/number_of_executed_units/ {print $2}' "build/fuzz/$name.log")" >&2
    done
    return "$failed"
}

verb_fuzz() {
    use setup
    use build
    verb_setup build test
    case ${1:-} in
        "")
            configure fuzz
            fuzz_names
            ;;
        --all)
            compile fuzz all_fuzz
            fuzz_all "${2:-60}"
            ;;
        *)
            configure fuzz
            grep -qxF -- "$1" build/fuzz/fuzz_targets.txt || fail "no fuzz target '$1'; there are: $(fuzz_names | tr '\n' ' ')"
            compile fuzz "${1}_fuzz"
            fuzz_one "$1" "${2:-60}"
            ;;
    esac
}
