#!/usr/bin/env bash
# Asks every broker in this container to leave in order.
set -eu
signal=${SIGNAL:-TERM}
pkill "-$signal" -f ' kafka\.Kafka ' || { echo "No kafka server to stop" >&2; exit 1; }
