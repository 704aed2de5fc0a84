#!/usr/bin/env bash
# Makes a machine ready for wiber-chaos: a container engine that answers, a Kafka image, and the side-car image.
#
#   docker/setup.sh           does what is missing and says what it does; silent when nothing is
#   docker/setup.sh --check   only says what is there and what is missing; exit 5 when something is
#
# Engine: a reachable one is used (DOCKER_HOST and contexts are honoured). Else, on Debian or Ubuntu as root, docker.io is
# installed and started. Kafka image: $WIBER_KAFKA_IMAGE, else the official one if it is here or can be pulled, else a
# drop-in built from Debian's and Maven's packages.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=versions.env
. "$here/versions.env"
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/wiber-chaos
engine_log=${WIBER_ENGINE_LOG:-/var/log/wiber-dockerd.log}
pull_limit_s=${WIBER_PULL_LIMIT_S:-300}

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
    printf 'setup: %s\n' "$*" >&2
    exit 5
}

# Runs something long with its output kept aside, and shows the end of it only when it fails.
quietly() {
    local what=$1 log
    shift
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        tail -n 25 "$log" >&2
        rm -f "$log"
        die "could not $what (the lines above are the end of its output)"
    fi
    rm -f "$log"
}

can_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

apt_install() {
    can_apt || die "please install: $*"
    say "installing $*"
    quietly 'read the package lists' env DEBIAN_FRONTEND=noninteractive apt-get update
    quietly "install $*" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

need() {
    local command=$1 package=$2
    command -v "$command" >/dev/null || apt_install "$package"
}

engine_answers() { command -v docker >/dev/null && timeout 20 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

start_engine() {
    if [ -d /run/systemd/system ] && systemctl start docker >/dev/null 2>&1; then
        say 'started the engine (systemd)'
    else
        # Another set-up may have started it a moment ago; dockerd itself refuses to run twice.
        say "starting the engine in the background, its log is $engine_log"
        setsid nohup dockerd >>"$engine_log" 2>&1 </dev/null 9>&- &
    fi
    local waited_s=0
    until engine_answers; do
        [ "$waited_s" -lt 60 ] || {
            tail -n 15 "$engine_log" >&2 || true
            die 'waited 60 s for the engine to answer; above is the end of its log'
        }
        sleep 1
        waited_s=$((waited_s + 1))
    done
}

ensure_engine() {
    engine_answers && return
    [ -z "${DOCKER_HOST:-}" ] || die "the engine at DOCKER_HOST=$DOCKER_HOST does not answer"
    if ! command -v dockerd >/dev/null; then
        can_apt || die 'no container engine answers: please install Docker and start it (Debian or Ubuntu, as root: this script does it)'
        apt_install docker.io iptables
    fi
    [ "$(id -u)" = 0 ] || die 'the container engine is installed and does not answer: please start it (as root: this script does it)'
    start_engine
}

recipe_of() {
    local directory=$1
    (cd "$here" && find versions.env setup.sh "$directory" -type f | LC_ALL=C sort | xargs sha256sum) | sha256sum | cut -c 1-16
}

image_recipe() { docker image inspect --format '{{index .Config.Labels "wiber-chaos.recipe"}}' "$1" 2>/dev/null || true; }
has_image() { docker image inspect "$1" >/dev/null 2>&1; }

# The first mirror of the machine's own apt configuration, so that no mirror is named here.
apt_mirror() {
    # All of it is read before the first line is taken, because a reader that leaves early would end apt-get by SIGPIPE.
    local uris
    uris=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $DEBIAN_SUITE" 2>/dev/null || true)
    head -n 1 <<<"$uris"
}

ensure_base() {
    has_image "$BASE_IMAGE" && return
    need debootstrap debootstrap
    # debootstrap needs the lists only to know which mirror this machine uses.
    [ -n "$(apt_mirror)" ] || quietly 'read the package lists' apt-get update
    local mirror work
    mirror=$(apt_mirror)
    [ -n "$mirror" ] || die "this machine's apt knows no mirror of Debian $DEBIAN_SUITE to build images from; please provide $KAFKA_OFFICIAL_IMAGE"
    say "building $BASE_IMAGE from Debian packages (about a minute)"
    work=$(mktemp -d)
    quietly 'build a Debian base' debootstrap --variant=minbase \
        --include=openjdk-17-jre-headless,procps,hostname,iproute2,iptables,nftables "$DEBIAN_SUITE" "$work/root" "$mirror"
    rm -rf "$work/root/var/cache/apt/archives" "$work/root/var/lib/apt/lists" "$work/root/usr/share/doc" "$work/root/usr/share/man" "$work/root/usr/share/locale"
    tar -C "$work/root" -cf - . | docker import - "$BASE_IMAGE" >/dev/null
    rm -rf "$work"
}

gather_jars() {
    local into=$1
    need mvn maven
    mkdir -p "$into"
    cat >"$into/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>wiber</groupId><artifactId>kafka-image</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_$KAFKA_SCALA_VERSION</artifactId><version>$KAFKA_VERSION</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$KAFKA_VERSION</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>$LOG4J_VERSION</version></dependency>
  </dependencies>
</project>
POM
    quietly "fetch Kafka's jars" mvn -q -B -f "$into/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$into/libs"
    rm "$into/pom.xml"
}

build() {
    local image=$1 context=$2 recipe=$3
    shift 3
    quietly "build $image" env DOCKER_BUILDKIT=0 docker build -t "$image" --build-arg BASE="$BASE_IMAGE" --build-arg RECIPE="$recipe" "$@" "$context"
}

ensure_kafka() {
    if [ -n "${WIBER_KAFKA_IMAGE:-}" ]; then
        has_image "$WIBER_KAFKA_IMAGE" && return
        say "pulling $WIBER_KAFKA_IMAGE"
        quietly "pull $WIBER_KAFKA_IMAGE" timeout "$pull_limit_s" docker pull "$WIBER_KAFKA_IMAGE"
        return
    fi
    has_image "$KAFKA_OFFICIAL_IMAGE" && return
    local recipe work
    recipe=$(recipe_of kafka)
    [ "$(image_recipe "$KAFKA_LOCAL_IMAGE")" = "$recipe" ] && return
    if ! has_image "$KAFKA_LOCAL_IMAGE"; then
        say "pulling $KAFKA_OFFICIAL_IMAGE"
        timeout "$pull_limit_s" docker pull "$KAFKA_OFFICIAL_IMAGE" >/dev/null 2>&1 && return
        say "$KAFKA_OFFICIAL_IMAGE cannot be pulled from here; building $KAFKA_LOCAL_IMAGE instead"
    fi
    ensure_base
    say "building $KAFKA_LOCAL_IMAGE (about a minute)"
    work=$(mktemp -d)
    cp -r "$here/kafka/." "$work"
    gather_jars "$work"
    build "$KAFKA_LOCAL_IMAGE" "$work" "$recipe" --build-arg KAFKA_VERSION="$KAFKA_VERSION"
    rm -rf "$work"
}

ensure_nemesis() {
    local recipe
    recipe=$(recipe_of nemesis)
    [ "$(image_recipe "$NEMESIS_IMAGE")" = "$recipe" ] && return
    ensure_base
    say "building $NEMESIS_IMAGE"
    build "$NEMESIS_IMAGE" "$here/nemesis" "$recipe"
}

check() {
    local missing=0 image
    report() { printf '%-12s %s\n' "$1" "$2"; }
    if engine_answers; then
        report engine "$(docker version --format '{{.Server.Version}} (API {{.Server.APIVersion}})')"
        for image in "${WIBER_KAFKA_IMAGE:-$KAFKA_OFFICIAL_IMAGE}" "$KAFKA_LOCAL_IMAGE"; do
            has_image "$image" && break
            image=
        done
        report kafka "${image:-missing}"
        [ -n "$image" ] || missing=5
        if has_image "$NEMESIS_IMAGE"; then report side-car "$NEMESIS_IMAGE"; else report side-car missing && missing=5; fi
    else
        report engine 'missing or not running'
        missing=5
    fi
    return "$missing"
}

case ${1:-} in
    --check) check; exit ;;
    '') ;;
    *) say "unknown argument $1; usage: docker/setup.sh [--check]"; exit 2 ;;
esac

# Two set-ups at once would build the same image twice, or start two engines.
mkdir -p "$cache"
exec 9>"$cache/setup.lock"
flock -w 1200 9 || die 'waited 20 minutes for another set-up to end'

ensure_engine
ensure_kafka
ensure_nemesis
