#!/usr/bin/env bash
# Runs a class of Kafka's jars. `exec` matters: java takes this process's place, and with it the container's signals.
set -eu
[ $# -gt 0 ] || { echo "usage: $0 class [argument ...]" >&2; exit 1; }

# Named one by one, and in the same order whatever the locale: an archive of classes is only good for the class path that
# it was made with.
classpath=$(LC_ALL=C; printf '%s:' /opt/kafka/libs/*.jar)
: "${KAFKA_HEAP_OPTS:=-Xmx256M}"
: "${KAFKA_LOG4J_OPTS:=-Dlog4j2.configurationFile=/opt/kafka/config/tools-log4j2.yaml}"
: "${KAFKA_JVM_PERFORMANCE_OPTS:=-server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true}"
if [ -n "${JMX_PORT:-}" ]; then
    KAFKA_JMX_OPTS="${KAFKA_JMX_OPTS:--Dcom.sun.management.jmxremote=true -Dcom.sun.management.jmxremote.authenticate=false -Dcom.sun.management.jmxremote.ssl=false} -Dcom.sun.management.jmxremote.port=$JMX_PORT"
fi
java=${JAVA_HOME:+$JAVA_HOME/bin/}java

# The variables hold several options each, so they are split on purpose.
# shellcheck disable=SC2086
exec "$java" $KAFKA_HEAP_OPTS $KAFKA_JVM_PERFORMANCE_OPTS ${KAFKA_GC_LOG_OPTS:-} ${KAFKA_JMX_OPTS:-} $KAFKA_LOG4J_OPTS \
    -Dkafka.logs.dir="${LOG_DIR:-/opt/kafka/logs}" -cp "${CLASSPATH:+$CLASSPATH:}${classpath%:}" ${KAFKA_OPTS:-} "$@"
