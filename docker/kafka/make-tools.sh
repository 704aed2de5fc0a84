#!/usr/bin/env bash
# Writes the scripts of /opt/kafka/bin from tools.tsv: make-tools.sh TABLE DIRECTORY
set -euo pipefail
table=$1
directory=$2
while IFS=$'\t' read -r name class heap log; do
    case $name in '' | '#'*) continue ;; esac
    script=$directory/$name.sh
    {
        printf '#!/usr/bin/env bash\n'
        [ "$heap" = - ] || printf 'export KAFKA_HEAP_OPTS="${KAFKA_HEAP_OPTS:-%s}"\n' "$heap"
        printf 'export KAFKA_LOG4J_OPTS="${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=/opt/kafka/config/%s}"\n' "$log"
        printf 'exec "$(dirname "$0")/kafka-run-class.sh" %s "$@"\n' "$class"
    } >"$script"
    chmod 0755 "$script"
done <"$table"
