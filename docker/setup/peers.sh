# What benchmarks are held against: kcat, librdkafka's own command. Kafka's tools are in its image. Sourced by ../setup.sh.
# shellcheck shell=bash

ensure_peers() {
    has kcat && return
    can_apt || die 'please install kcat, which the benchmarks are held against'
    apt_install kcat
}
