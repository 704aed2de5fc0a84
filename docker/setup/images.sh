# Provides the images: pulled where there is a registry, built from this machine's own packages where there is none.
# Sourced by ../setup.sh.
# shellcheck shell=bash

pull_limit_s=${WIBER_PULL_LIMIT_S:-120}
label=wiber-chaos.recipe

has_image() { docker image inspect "$1" >/dev/null 2>&1; }
pull() { timeout "$pull_limit_s" docker pull -q "$1" >/dev/null 2>&1 9>&-; }

# An image carries the hash of what it was made from; another hash means that it has to be made again. What somebody built
# by hand beside the sources is none of it.
recipe_of() { (cd "$here" && find versions.env base "$@" -type f -not -path '*/target/*' | LC_ALL=C sort | xargs sha256sum) | sha256sum | cut -c 1-16; }
label_of() { docker image inspect --format "{{index .Config.Labels \"$2\"}}" "$1" 2>/dev/null || true; }
is_current() { [ "$(label_of "$1" "$label")" = "$(recipe_of "$2")" ]; }

staleness() {
    case $1 in
        "$KAFKA_LOCAL_IMAGE") is_current "$1" kafka || echo ' (of an older recipe; setup makes it again)' ;;
        "$NEMESIS_IMAGE") is_current "$1" nemesis || echo ' (of an older recipe; setup makes it again)' ;;
    esac
}

# The image that a run uses, in the order in which src/cluster/images.rs looks.
kafka_image() {
    local image
    for image in ${WIBER_KAFKA_IMAGE:-"$KAFKA_OFFICIAL_IMAGE" "$KAFKA_LOCAL_IMAGE"}; do
        has_image "$image" && echo "$image" && return
    done
    return 1
}

ensure_kafka() {
    if [ -n "${WIBER_KAFKA_IMAGE:-}" ]; then
        has_image "$WIBER_KAFKA_IMAGE" && return
        say "pulling $WIBER_KAFKA_IMAGE"
        quietly "pull WIBER_KAFKA_IMAGE=$WIBER_KAFKA_IMAGE within $pull_limit_s s" timeout "$pull_limit_s" docker pull "$WIBER_KAFKA_IMAGE"
        return
    fi
    has_image "$KAFKA_OFFICIAL_IMAGE" && return
    is_current "$KAFKA_LOCAL_IMAGE" kafka && return
    # Where it was built once, no registry was in reach, or it was not wanted.
    if ! has_image "$KAFKA_LOCAL_IMAGE"; then
        say "pulling $KAFKA_OFFICIAL_IMAGE"
        pull "$KAFKA_OFFICIAL_IMAGE" && return
        say "$KAFKA_OFFICIAL_IMAGE cannot be pulled from here; $KAFKA_LOCAL_IMAGE is built instead, in about two minutes"
    fi
    build_kafka
}

build_kafka() {
    ensure_builders
    say "building $KAFKA_LOCAL_IMAGE"
    local context=$workspace/kafka jars
    cp -r "$here/kafka" "$context"
    # The jars come while the packages do; both are mostly waiting.
    quietly "fetch Kafka's jars" fetch_jars "$context" &
    jars=$!
    ensure_base java
    wait "$jars" || exit 5
    rm -f "$context/pom.xml"
    build "$KAFKA_LOCAL_IMAGE" "$context" "$(recipe_of kafka)" --build-arg KAFKA_VERSION="$KAFKA_VERSION"
}

# On the host, because it has the certificates and the mirrors that a container may lack.
fetch_jars() {
    mvn -q -B -f "$1/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$1/libs" \
        -Dkafka.version="$KAFKA_VERSION" -Dscala.version="$KAFKA_SCALA_VERSION" -Dlog4j.version="$LOG4J_VERSION"
}

ensure_nemesis() {
    is_current "$NEMESIS_IMAGE" nemesis && return
    has cargo || die "$NEMESIS_IMAGE holds a program of Rust, and there is no cargo to build it: please install Rust (https://rustup.rs)"
    say "building $NEMESIS_IMAGE"
    ensure_base
    local context=$workspace/nemesis
    mkdir "$context"
    cp "$here/nemesis/Dockerfile" "$context"
    build_hand "$context/wiber-hand"
    build "$NEMESIS_IMAGE" "$context" "$(recipe_of nemesis)"
}

# Static, so that it runs whatever the image is made of; the target is named, so that build scripts and macros, which
# cannot be static, are built apart. It is built beside the other caches, and nothing is written where the sources lie.
build_hand() {
    local triple
    triple=$(rustc -vV | sed -n 's/^host: //p')
    case $triple in
        *-linux-gnu) ;;
        *) die "the side-car's program is built on Linux with the GNU tools; rustc here builds for ${triple:-nothing that it would name}" ;;
    esac
    quietly "build the side-car's program" env CARGO_TARGET_DIR="$cache/hand" RUSTFLAGS='-C target-feature=+crt-static' \
        cargo build --locked --release --target "$triple" --manifest-path "$here/nemesis/hand/Cargo.toml"
    cp "$cache/hand/$triple/release/wiber-hand" "$1"
}

# Builds need no network and no downloads: what they copy is there already.
build() {
    local image=$1 context=$2 recipe=$3
    shift 3
    # The classic builder is always there and sees the engine's own images; buildx may be missing, or build elsewhere.
    quietly "build $image" env DOCKER_BUILDKIT=0 docker build -t "$image" --build-arg BASE="$BASE_IMAGE" --build-arg RECIPE="$recipe" "$@" "$context"
}

# One Debian or Ubuntu under both images, so that they share its layer. With "java" it has to hold a Java runtime; where
# the official Kafka image is used, nothing needs one.
ensure_base() {
    local with_java=${1:-no} recipe java
    recipe=$(recipe_of)
    if [ "$(label_of "$BASE_IMAGE" "$label")" = "$recipe" ]; then
        [ "$with_java" = no ] && return
        [ "$(label_of "$BASE_IMAGE" wiber-chaos.java)" = java ] && return
    fi
    # What a fault needs inside a broker's network namespace, and what people look for in a container.
    local packages
    mapfile -t packages <"$here/base/packages"
    if own_sources >/dev/null; then
        ensure_builders
        if [ "$with_java" != no ]; then
            java=$(java_package)
            packages+=("$java")
        fi
        quietly "make $BASE_IMAGE from this machine's package mirror" import_base "$recipe" "$with_java" "${packages[@]}"
    else
        [ "$with_java" = no ] || packages+=(openjdk-17-jre-headless)
        pull "$BASE_OFFICIAL_IMAGE" || has_image "$BASE_OFFICIAL_IMAGE" ||
            die "there is neither $BASE_OFFICIAL_IMAGE (not here, cannot be pulled) nor a way to make one (Debian or Ubuntu, as root)"
        quietly "make $BASE_IMAGE from $BASE_OFFICIAL_IMAGE" env DOCKER_BUILDKIT=0 docker build -t "$BASE_IMAGE" \
            --build-arg FROM="$BASE_OFFICIAL_IMAGE" --build-arg PACKAGES="${packages[*]}" --build-arg RECIPE="$recipe" \
            --build-arg JAVA="$with_java" "$here/base"
    fi
}

# All that building from packages needs, in one go.
ensure_builders() {
    local packages=()
    if can_apt && ! has mmdebstrap; then packages+=(mmdebstrap); fi
    if [ ! -x "$(command -v mvn)" ]; then packages+=(maven); fi
    [ "${#packages[@]}" = 0 ] || apt_install "${packages[@]}"
}

# The distribution's own entries of this machine's apt configuration, so that no mirror is named here. They are as fresh
# as the machine's: with its security updates, if it has them.
own_sources() {
    can_apt || return 1
    local id codename sources
    id=$(. /etc/os-release && echo "$ID")
    case $id in debian | ubuntu) ;; *) return 1 ;; esac
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    sources=$(list_sources "$id" "$codename")
    # A machine that never ran apt-get update knows no origins.
    [ -n "$sources" ] || { apt_refresh && sources=$(list_sources "$id" "$codename"); }
    [ -n "$sources" ] && echo "$sources"
}

list_sources() {
    apt-get indextargets --format '$(ORIGIN) $(CODENAME) deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
        awk -v id="$1" -v codename="$2" 'tolower($1) == id && index($2, codename) == 1 { print $3, $4, $5, $6 }' | LC_ALL=C sort -u
}

# Kafka 4 needs Java 17 or later; each release of a distribution carries another.
java_package() {
    local version
    for version in 17 21 25; do
        apt_offers "openjdk-$version-jre-headless" && echo "openjdk-$version-jre-headless" && return
    done
    die 'this machine offers no package of Java 17, 21 or 25'
}

import_base() {
    local recipe=$1 with_java=$2 packages
    shift 2
    packages=$(IFS=, && echo "$*")
    # The machine's proxies and certificates serve while it is made, and are not kept.
    apt-config dump Acquire >"$workspace/acquire.conf"
    own_sources | TMPDIR=$workspace mmdebstrap --mode=root --variant=essential --include="$packages" --format=tar \
        --aptopt="$workspace/acquire.conf" \
        --customize-hook='rm -rf "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/apt/sources.list "$1"/usr/share/man/* "$1"/usr/share/locale/*' \
        --customize-hook='find "$1"/usr/share/doc -type f ! -name copyright -delete' \
        '' "$workspace/base.tar" - || return
    docker import -c "LABEL $label=$recipe" -c "LABEL wiber-chaos.java=$with_java" "$workspace/base.tar" "$BASE_IMAGE" || return
    rm -f "$workspace/base.tar"
}
