# ./dev sim SEED [OPTION…] | ./dev sim --seeds N [OPTION…]; the options are those of sluice_simulate (docs/simulation.md).
# shellcheck shell=bash

verb_sim() {
    use setup
    use build
    [ $# -gt 0 ] || fail "usage: ./dev sim SEED [OPTION…]   or   ./dev sim --seeds N [OPTION…]"
    verb_setup build web
    compile release sluice_simulate
    case $1 in
        --seeds)
            [[ ${2:-} =~ ^[0-9]+$ ]] || fail "usage: ./dev sim --seeds N (a number)"
            run build/release/sluice_simulate --seeds "1..$2" "${@:3}"
            ;;
        *)
            [[ $1 =~ ^[0-9]+$ ]] || fail "'$1' is not a seed; usage: ./dev sim SEED   or   ./dev sim --seeds N"
            run build/release/sluice_simulate --seed "$1" "${@:2}"
            ;;
    esac
}
