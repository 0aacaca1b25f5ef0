# ./dev fmt [--check]
# shellcheck shell=bash

cpp_files() { git ls-files -- '*.cpp' '*.hpp' '*.h'; }

verb_fmt() {
    use setup
    command -v clang-format-16 >/dev/null || verb_setup test
    local files
    mapfile -t files < <(cpp_files)
    if [ "${1:-}" = --check ]; then
        printf '+ clang-format-16 --dry-run -Werror (%s files)\n' "${#files[@]}" >&2
        clang-format-16 --dry-run -Werror "${files[@]}" || {
            echo "./dev fmt repairs this" >&2
            return 1
        }
    else
        printf '+ clang-format-16 -i (%s files)\n' "${#files[@]}" >&2
        clang-format-16 -i "${files[@]}"
    fi
}
