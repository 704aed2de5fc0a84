# Finds a command for compose files, or installs one. Sourced by ../setup.sh.
# shellcheck shell=bash

# Docker's plug-in, or the command of its own that older distributions have. The Makefile looks in the same order.
compose_version() {
    local version
    if version=$(docker compose version --short 2>/dev/null); then
        echo "docker compose $version"
    else
        version=$(docker-compose version --short 2>/dev/null) && echo "docker-compose $version"
    fi
}
compose_answers() { compose_version >/dev/null; }

# The plug-in where Docker's own packages or Ubuntu's have it. Debian's docker-compose is the old command up to 12 and the
# plug-in since.
ensure_compose() {
    compose_answers && return
    local package
    if can_apt; then
        apt_refresh
        for package in docker-compose-plugin docker-compose-v2 docker-compose; do
            apt_offers "$package" || continue
            apt_install "$package"
            compose_answers || die "installed $package, but neither \`docker compose\` nor \`docker-compose\` answers"
            return
        done
    fi
    die 'there is no command for compose files: please install the plug-in of Docker, or docker-compose'
}
