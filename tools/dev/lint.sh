# ./dev lint [--all]: clang-tidy (results are kept, so that an unchanged file costs only its preprocessing), shellcheck, layers, style.
# shellcheck shell=bash

lint_shell() {
    local scripts
    mapfile -t scripts < <(git ls-files -- dev .ci/run 'tools/*.sh' 'packaging/*.sh')
    run shellcheck -x "${scripts[@]}"
}

# Files that differ from origin/main, or from the commit before where there is no such branch or we are on it.
changed_files() {
    local base
    base=$(git merge-base HEAD origin/main 2>/dev/null || true)
    if [ -z "$base" ] || [ "$base" = "$(git rev-parse HEAD)" ]; then base=$(git rev-parse HEAD~1 2>/dev/null || git rev-parse HEAD); fi
    git diff --name-only --diff-filter=d "$base" -- "$@"
}

# Tests use things after moving from them on purpose, and nobody waits for them.
not_tests() { grep -v '_test\.cpp$' || true; }

lint_cpp() {
    local files
    if [ "${1:-}" = --all ]; then
        mapfile -t files < <(git ls-files -- 'src/*.cpp' 'sim/*.cpp' | not_tests)
    else
        mapfile -t files < <(changed_files 'src/*.cpp' 'sim/*.cpp' | not_tests)
    fi
    [ ${#files[@]} -gt 0 ] || return 0
    configure dev && run python3 tools/tidy.py --build build/dev --jobs "$(jobs)" --budget "${SLUICE_TIDY_SECONDS:-86400}" "${files[@]}"
}

verb_lint() {
    use setup
    use build
    use fmt
    verb_setup build web test
    local bad=0
    lint_shell || bad=1
    verb_fmt --check || bad=1
    run python3 tools/check_layers.py || bad=1
    run python3 tools/check_style.py || bad=1
    lint_cpp "$@" || bad=1
    return "$bad"
}
