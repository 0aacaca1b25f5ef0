# ./dev build [PRESET] [TARGET…]
# shellcheck shell=bash

# configure PRESET: runs cmake where nothing is configured yet (later changes of CMake files are noticed by ninja).
configure() {
    local preset=$1 launcher=()
    [ ! -e "build/$preset/build.ninja" ] || return 0
    ! command -v ccache >/dev/null || launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    run cmake --preset "$preset" "${launcher[@]}"
}

compile() {
    local preset=$1
    shift
    configure "$preset" && run ninja -C "build/$preset" -j "$(jobs)" "$@"
}

verb_build() {
    local preset=dev
    case ${1:-} in
        dev | release | asan | tsan | cover | fuzz)
            preset=$1
            shift
            ;;
    esac
    use setup
    if [ "$preset" = release ]; then verb_setup build web; else verb_setup build web test; fi
    compile "$preset" "$@"
}
