# ./dev setup [GROUP…]: installs the missing Debian packages of tools/packages.txt.
# shellcheck shell=bash

# Names of the packages of the groups given (all groups without arguments).
packages_of() {
    awk -v wanted=" $* " '
        { sub(/#.*/, "") }
        /^\[.*\]/ { group = substr($1, 2, length($1) - 2); next }
        NF && (wanted == "  " || index(wanted, " " group " ")) { print $1 }' tools/packages.txt
}

# nodejs and npm may have come from elsewhere; a working, recent enough pair counts.
have_node() {
    command -v npm >/dev/null && command -v node >/dev/null &&
        [ "$(node -p 'parseInt(process.versions.node)' 2>/dev/null || echo 0)" -ge 18 ]
}

missing_packages() {
    local installed name
    installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | awk '$1 == "installed" {print $2}')
    for name in $(packages_of "$@"); do
        case $name in nodejs | npm) ! have_node || continue ;; esac
        grep -qxF -- "$name" <<<"$installed" || echo "$name"
    done
}

verb_setup() {
    local missing as_root=()
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        [ -z "${SLUICE_SKIP_SETUP:-}" ] || return 0
        fail "this is not a Debian-like system (no apt-get): install what tools/packages.txt lists by your own means," \
            "then set SLUICE_SKIP_SETUP=1"
    fi
    missing=$(missing_packages "$@" | tr '\n' ' ')
    missing=${missing% }
    [ -n "$missing" ] || return 0
    [ -z "${SLUICE_SKIP_SETUP:-}" ] || fail "SLUICE_SKIP_SETUP is set, but these packages are missing: $missing"
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            fail "packages are missing, and installing them needs root, but there is no sudo. As root, run:" \
                "apt-get install --no-install-recommends $missing"
        as_root=(sudo)
    fi
    run "${as_root[@]}" apt-get update -qq || echo "apt-get update failed; going on with the package lists that are there" >&2
    # Word splitting is meant: $missing is a list of names.
    # shellcheck disable=SC2086
    run "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2 ||
        fail "apt-get could not install: $missing (see its message above; Sluice builds on Debian 12 and on what has the same packages)"
}
