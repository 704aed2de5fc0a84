# What every step of the set-up shares: speaking, failing, and the packages of Debian and Ubuntu. Sourced by ../setup.sh.
# shellcheck shell=bash

spoke=no
say() {
    spoke=yes
    printf 'setup: %s\n' "$*" >&2
}

# Whatever cannot be had is the environment's fault: exit 5, as in the binary.
die() {
    printf 'setup: %s\n' "$*" >&2
    exit 5
}

# Runs something long with its output kept aside, and shows the end of it only when it fails.
quietly() {
    local what=$1 log
    shift
    log=$(mktemp "$workspace/log.XXXXXX")
    "$@" >"$log" 2>&1 9>&- && return
    tail -n 25 "$log" >&2
    die "could not $what (the lines above are the end of its output)"
}

clean_up() {
    local job
    # A step that failed may have left a download running beside it.
    for job in $(jobs -p); do kill "$job" 2>/dev/null || true; done
    rm -rf "$workspace"
}

has() { command -v "$1" >/dev/null; }
can_apt() { [ "$(id -u)" = 0 ] && has apt-get; }

apt_lists=old
apt_refresh() {
    [ "$apt_lists" = old ] || return 0
    quietly 'read the package lists' env DEBIAN_FRONTEND=noninteractive apt-get update
    apt_lists=new
}

apt_install() {
    can_apt || die "please install: $*"
    say "installing $*"
    apt_refresh
    quietly "install $*" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

apt_offers() { [ -n "$(apt-cache show --no-all-versions "$1" 2>/dev/null)" ]; }

# librdkafka is compiled from its source by the Rust build, against the system's OpenSSL.
ensure_compiler() {
    has cc && has c++ && has make || apt_install build-essential
    has_openssl || apt_install pkg-config libssl-dev
}

has_openssl() { has pkg-config && pkg-config --exists openssl; }
