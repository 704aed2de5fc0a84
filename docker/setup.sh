#!/usr/bin/env bash
# Makes a machine ready for wiber-chaos: a container engine that answers, a Kafka image, the side-car image (its program is
# built here, by cargo), and the C compiler and OpenSSL headers that librdkafka is built with.
#
#   docker/setup.sh             does what is missing and says what it does; silent when nothing is
#   docker/setup.sh --check     only says what is there and what is missing; exit 5 when something is
#   docker/setup.sh --image     prints the Kafka image that a run or a compose file uses here; exit 5 when there is none
#   docker/setup.sh --compose   makes sure of a command that reads compose files; silent when there is one
#   docker/setup.sh --browser   makes sure of a browser and of what its tests need; silent when it is there
#   docker/setup.sh --peers     makes sure of what the benchmarks are held against; silent when it is there
#
# Engine: a reachable one is used (DOCKER_HOST and contexts are honoured). Else, on Debian or Ubuntu as root, docker.io is
# installed and started. Kafka image: $WIBER_KAFKA_IMAGE, else the official one if it is here or can be pulled, else a
# drop-in built from Debian's and Maven's packages.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/versions.env"
. "$here/setup/common.sh"
. "$here/setup/engine.sh"
. "$here/setup/compose.sh"
. "$here/setup/images.sh"
. "$here/setup/browser.sh"
. "$here/setup/peers.sh"

check() {
    local missing=0
    report() { printf '%-12s %s\n' "$1" "$2"; }
    missing_is() { report "$1" "$2" && missing=5; }
    local tool absent=
    for tool in cc c++ make; do command -v "$tool" >/dev/null || absent+=" $tool"; done
    has_openssl || absent+=' OpenSSL headers (libssl-dev, pkg-config)'
    [ -z "$absent" ] && report compiler "$(command -v cc)" || missing_is compiler "missing:$absent"
    # Nothing but docker-compose.kafka.yml and its test needs it.
    report compose "$(compose_version || echo 'none; optional, docker/setup.sh --compose installs it')"
    # Nothing but the tests of the pages needs it.
    report browser "$(browser_is_there && chromium --version 2>/dev/null || echo 'none; optional, docker/setup.sh --browser installs it')"
    if ! engine_answers; then
        missing_is engine "missing, or not running: ${engine_error:-no docker command}"
        return "$missing"
    fi
    report engine "$(docker version --format '{{.Server.Version}}, API {{.Server.APIVersion}}')"
    local kafka
    if kafka=$(kafka_image); then report kafka "$kafka$(staleness "$kafka")"; else missing_is kafka 'no image'; fi
    if has_image "$NEMESIS_IMAGE"; then report side-car "$NEMESIS_IMAGE$(staleness "$NEMESIS_IMAGE")"; else missing_is side-car 'no image'; fi
    return "$missing"
}

image() {
    engine_answers || die "no container engine answers, and without it there is no image: ${engine_error:-no docker command}"
    kafka_image || die "there is no Kafka image here: looked for ${WIBER_KAFKA_IMAGE:-$KAFKA_OFFICIAL_IMAGE and $KAFKA_LOCAL_IMAGE}; docker/setup.sh pulls or builds one"
}

case ${1:-} in
    --check) check; exit ;;
    --image) image; exit ;;
    --compose) if compose_answers; then exit; fi ;;
    --browser) if browser_is_there; then exit; fi ;;
    --peers) if has kcat; then exit; fi ;;
    '') ;;
    *) say "unknown argument $1; usage: docker/setup.sh [--check | --image | --compose | --browser | --peers]"; exit 2 ;;
esac

# Two set-ups at once would build the same image twice, or start two engines. The lock is one per user, beside the caches.
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/wiber-chaos
mkdir -p "$cache"
exec 9>"$cache/setup.lock"
flock -w 1200 9 || die 'waited 20 minutes for another set-up to end'
workspace=$(mktemp -d)
trap clean_up EXIT

if [ "${1:-}" = --compose ]; then
    ensure_compose
    exit
fi
if [ "${1:-}" = --browser ]; then
    ensure_browser
    exit
fi
if [ "${1:-}" = --peers ]; then
    ensure_peers
    exit
fi
ensure_compiler
ensure_engine
ensure_kafka
ensure_nemesis
[ "$spoke" = no ] || say "ready: Kafka is $(kafka_image), the side-car is $NEMESIS_IMAGE"
