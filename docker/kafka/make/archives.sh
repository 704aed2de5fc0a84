#!/usr/bin/env bash
# Runs inside the image while it is built: starts a broker once, exactly as a container does, and keeps the classes that
# it loaded (AppCDS), so that every later start finds them parsed and verified. Leaves nothing but the two archives and
# what directories are formatted with.
set -euo pipefail
scratch=$(mktemp -d)
bin=/opt/kafka/bin
client=localhost:29092

export KAFKA_NODE_ID=1 KAFKA_PROCESS_ROLES=broker,controller KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:29093
export KAFKA_LISTENERS=CLIENT://$client,CONTROLLER://localhost:29093 KAFKA_ADVERTISED_LISTENERS=CLIENT://$client
export KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER KAFKA_INTER_BROKER_LISTENER_NAME=CLIENT
export KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=CONTROLLER:PLAINTEXT,CLIENT:PLAINTEXT
export KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1 KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS=1 KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS=0
export KAFKA_LOG_DIRS=$scratch/data KAFKA_HEAP_OPTS='-Xms512m -Xmx512m'

# WIBER_ARCHIVE makes `launch` write the archives where it otherwise reads them.
WIBER_ARCHIVE=ArchiveClassesAtExit /etc/kafka/docker/run >"$scratch/broker.log" 2>&1 &
broker=$!
give_up() {
    echo "$1; the broker said last:"
    tail -n 20 "$scratch/broker.log"
    exit 1
}
until_s=$((SECONDS + 120))
until grep -q 'Kafka Server started' "$scratch/broker.log"; do
    kill -0 "$broker" 2>/dev/null || give_up 'the broker ended'
    [ "$SECONDS" -lt "$until_s" ] || give_up 'no broker within 120 s'
    sleep 0.3
done

# A topic, a record and a group load the classes of the paths that every run takes.
tool() { env KAFKA_HEAP_OPTS=-Xmx128m KAFKA_JVM_PERFORMANCE_OPTS='-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' timeout 60 "$bin/$1.sh" --bootstrap-server "$client" "${@:2}"; }
tool kafka-topics --create --topic warm --partitions 1 >/dev/null || give_up 'no topic could be made'
echo hello | tool kafka-console-producer --topic warm || give_up 'nothing could be produced'
tool kafka-console-consumer --topic warm --group warm --from-beginning --max-messages 1 --timeout-ms 30000 >/dev/null || give_up 'nothing could be read'
kill -TERM "$broker"
wait "$broker" || true

# What the storage tool wrote for a cluster to begin with. `launch` lays it into new directories, which spares every start a JVM.
cp "$scratch/data/bootstrap.checkpoint" /opt/kafka/ || give_up 'the storage tool wrote no bootstrap.checkpoint'

# An archive that does not fit its JVM, flags or class path is ignored without a word, so its use is proven here.
proves() {
    local archive=$1 class=$2 from_archive
    [ -s "$archive" ] || give_up "no $archive was written"
    env KAFKA_JVM_PERFORMANCE_OPTS="${*:3} -XX:SharedArchiveFile=$archive -Xlog:class+load:file=$scratch/classes" \
        "$bin/kafka-run-class.sh" "$class" >/dev/null 2>&1 || true
    from_archive=$(grep -c 'shared objects file (top)' "$scratch/classes" || true)
    [ "$from_archive" -ge 50 ] || give_up "$archive is not used: $from_archive classes came from it"
    echo "$archive: $from_archive classes of a bare start of $class come from it"
}
proves /opt/kafka/storage.jsa kafka.docker.KafkaDockerWrapper -XX:+UseSerialGC
proves /opt/kafka/kafka.jsa kafka.Kafka -XX:+UseG1GC
rm -rf "$scratch" /opt/kafka/logs/* /opt/kafka/config/server.properties
cp /etc/kafka/docker/{server.properties,log4j2.yaml,tools-log4j2.yaml} /opt/kafka/config/
