# ./dev test: everything that CI runs. Goes on after a failure, so that one run shows all of them; the last line counts.
# shellcheck shell=bash

passed=0 failed=0 skipped=0
failures=()

# step NAME COMMAND…: one check, counted as one test.
step() {
    local name=$1 begin=$SECONDS
    shift
    if "$@"; then
        passed=$((passed + 1))
        printf -- '--- %s: ok (%s s)\n' "$name" $((SECONDS - begin))
    else
        failed=$((failed + 1))
        failures+=("$name")
        printf -- '--- %s: FAILED (%s s)\n' "$name" $((SECONDS - begin))
        return 1
    fi
}

# ctest_step NAME PRESET ARGUMENTS…: counts what ctest counts.
ctest_step() {
    local name=$1 preset=$2 begin=$SECONDS log=build/$2/ctest-$1.log summary lost all unrun
    shift 2
    run ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$(jobs)" "$@" 2>&1 | tee "$log" || true
    if ! summary=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests failed out of [0-9]+' "$log"); then
        failed=$((failed + 1))
        failures+=("$name: ctest did not finish, see $log")
        return 0
    fi
    lost=$(sed -E 's/.*, ([0-9]+) tests failed.*/\1/' <<<"$summary")
    all=$(sed -E 's/.* out of ([0-9]+).*/\1/' <<<"$summary")
    unrun=$(grep -cE '\*\*\*Skipped' "$log" || true)
    passed=$((passed + all - lost - unrun)) failed=$((failed + lost)) skipped=$((skipped + unrun))
    if [ "$lost" -gt 0 ]; then
        failures+=("$name: $(awk '/^The following tests FAILED:/ {on = 1; next} on && $1 ~ /^[0-9]+$/ {printf "%s ", $3}' "$log")")
    fi
    printf -- '--- %s: %s of %s failed, %s skipped (%s s)\n' "$name" "$lost" "$all" "$unrun" $((SECONDS - begin))
}

# The test programs among the names given that exist in this build.
existing_targets() {
    local preset=$1 name
    shift
    for name in "$@"; do
        ! ninja -C "build/$preset" -t query "$name" >/dev/null 2>&1 || echo "$name"
    done
}

thread_sanitizer() {
    local targets
    configure tsan || return 1
    mapfile -t targets < <(existing_targets tsan flow_hub_test env_posix_test gateway_test cloud_test)
    [ ${#targets[@]} -gt 0 ] || return 0
    step "compile tsan" compile tsan "${targets[@]}" || return 1
    ctest_step tsan tsan -R "^($(
        IFS='|'
        echo "${targets[*]}"
    ))\$"
}

short_fuzzing() {
    step "compile fuzz" compile fuzz all_fuzz || return 1
    step "fuzz, ${SLUICE_FUZZ_SECONDS:-5} s each" fuzz_all "${SLUICE_FUZZ_SECONDS:-5}"
}

# Prints the result and ends: also when a step stops everything.
conclude() {
    local each
    for each in "${failures[@]}"; do printf 'failed: %s\n' "$each"; done
    printf 'took %s min\n' $((SECONDS / 60))
    printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
    [ "$failed" -eq 0 ]
}

verb_test() {
    use setup
    use build
    use fmt
    use fuzz
    use lint
    verb_setup build web test
    step "shellcheck" lint_shell || true
    step "format" verb_fmt --check || true
    if step "compile dev" compile dev all header_check; then
        ctest_step dev dev
        if step "compile asan" compile asan; then ctest_step asan asan -L '^(unit|contract|rules|sim-smoke)$'; fi
        thread_sanitizer || true
        short_fuzzing || true
        # A change of very many files would take longer than all the rest; `./dev lint` has no such limit.
        SLUICE_TIDY_SECONDS=${SLUICE_TIDY_SECONDS:-900} step "clang-tidy of what changed" lint_cpp || true
    fi
    conclude
}
