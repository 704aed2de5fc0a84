# Finds a container engine, or installs and starts one. Sourced by ../setup.sh.
# shellcheck shell=bash

engine_log=${WIBER_ENGINE_LOG:-/var/log/wiber-dockerd.log}
engine_wait_s=60
engine_error=

engine_answers() {
    has docker || return 1
    engine_error=$(timeout 20 docker version --format '{{.Server.Version}}' 2>&1 >/dev/null) && return
    engine_error=$(head -n 1 <<<"$engine_error")
    return 1
}

# A context that the user chose names an engine elsewhere, which is not ours to start.
chosen_context() {
    local context
    context=$(docker context inspect --format '{{.Name}}' 2>/dev/null || true)
    [ "$context" = default ] || echo "$context"
}

ensure_engine() {
    engine_answers && return
    [ -z "${DOCKER_HOST:-}" ] || die "the engine at DOCKER_HOST=$DOCKER_HOST does not answer: $engine_error"
    if has docker && [ -n "$(chosen_context)" ]; then
        die "the engine of the context $(chosen_context) does not answer: $engine_error"
    fi
    case $engine_error in
        *'permission denied'*) die 'the engine refuses this user: please add it to the group docker, or run this as root' ;;
    esac
    if ! has dockerd; then
        can_apt || die 'no container engine answers: please install Docker and start it (on Debian or Ubuntu as root, this script does it)'
        apt_refresh
        local packages=(docker.io iptables)
        # From Debian 13 on the command is a package of its own, which docker.io only recommends.
        if ! has docker && apt_offers docker-cli; then packages+=(docker-cli); fi
        apt_install "${packages[@]}"
    fi
    [ "$(id -u)" = 0 ] || die 'the container engine is installed but does not answer: please start it (as root, this script does it)'
    start_engine
}

start_engine() {
    # The package's own script may have started it just now.
    engine_answers && return
    local process=
    if [ -d /run/systemd/system ] && systemctl start docker >/dev/null 2>&1; then
        say 'started the engine by systemd'
    else
        # In a session of its own and holding none of our files, so that it outlives this script, make and the terminal.
        setsid nohup dockerd >>"$engine_log" 2>&1 </dev/null 9>&- &
        process=$!
        disown "$process"
        say "started the engine in the background; its log is $engine_log"
    fi
    local until_s=$((SECONDS + engine_wait_s))
    until engine_answers; do
        if [ -n "$process" ] && ! kill -0 "$process" 2>/dev/null; then
            # It refuses to run twice: perhaps somebody else's is about to answer.
            sleep 3
            engine_answers && return
            engine_gave_up 'the engine ended at its start'
        fi
        [ "$SECONDS" -lt "$until_s" ] || engine_gave_up "waited $engine_wait_s s for the engine to answer"
        sleep 0.5
    done
}

engine_gave_up() {
    tail -n 15 "$engine_log" >&2 2>/dev/null || true
    die "$1; it said last: ${engine_error:-nothing} (above is the end of $engine_log)"
}
