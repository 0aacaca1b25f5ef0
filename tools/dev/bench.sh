# ./dev bench broker|drain|hostile|ingest|rules|spool [OPTION…]
# shellcheck shell=bash

verb_bench() {
    use setup
    use build
    local name=${1:-}
    if [ -z "$name" ] || [ ! -e "bench/$name.py" ]; then fail "usage: ./dev bench broker|drain|hostile|ingest|rules|spool [OPTION…]"; fi
    shift
    verb_setup build web test
    compile release
    run python3 "bench/$name.py" "$@"
}
