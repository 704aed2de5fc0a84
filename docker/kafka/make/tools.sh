#!/usr/bin/env bash
# Writes the scripts of /opt/kafka/bin from the table beside it: tools.sh TABLE DIRECTORY
set -euo pipefail
table=$1
directory=$2
while IFS=$'\t' read -r name class heap log; do
    case $name in '' | '#'*) continue ;; esac
    script=$directory/$name.sh
    {
        echo '#!/usr/bin/env bash'
        [ "$heap" = - ] || echo "export KAFKA_HEAP_OPTS=\"\${KAFKA_HEAP_OPTS:-$heap}\""
        echo "export KAFKA_LOG4J_OPTS=\"\${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=/opt/kafka/config/$log}\""
        echo "exec \"\$(dirname \"\$(readlink -f \"\$0\")\")/kafka-run-class.sh\" $class \"\$@\""
    } >"$script"
    chmod 0755 "$script"
done <"$table"
chmod 0755 "$directory"/*.sh
