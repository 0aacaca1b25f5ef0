# ./dev demo [OPTION…]: from nothing to a running plant.
# shellcheck shell=bash

verb_demo() {
    use setup
    use build
    verb_setup build web
    compile release sluice
    run build/release/sluice demo "$@"
}
