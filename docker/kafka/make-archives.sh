#!/usr/bin/env bash
# Runs inside the image while it is built: starts a broker once and keeps the classes that it loaded (AppCDS), so that
# every later start finds them parsed and verified. It leaves nothing behind but the two archives.
set -euo pipefail
scratch=$(mktemp -d)
# The JVM's own archive of its core classes; Debian's package leaves it to be made, and the others build upon it.
java -Xshare:dump >"$scratch/core.log" 2>&1 || { cat "$scratch/core.log"; exit 1; }
export LOG_DIR=$scratch
cat >"$scratch/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@localhost:29093
listeners=CLIENT://localhost:29092,CONTROLLER://localhost:29093
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,CLIENT:PLAINTEXT
log.dirs=$scratch/data
offsets.topic.replication.factor=1
PROPERTIES

# The options that choose a collector or a compiler must be those of the later runs, or the archive is refused.
export KAFKA_HEAP_OPTS='-Xms512m -Xmx512m'
mkdir "$scratch/config"
env KAFKA_NODE_ID=1 KAFKA_PROCESS_ROLES=broker,controller KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:29093 \
    KAFKA_LISTENERS=CLIENT://localhost:29092,CONTROLLER://localhost:29093 KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER \
    KAFKA_INTER_BROKER_LISTENER_NAME=CLIENT KAFKA_LOG_DIRS="$scratch/data" \
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=CONTROLLER:PLAINTEXT,CLIENT:PLAINTEXT CLUSTER_ID=5L6g3nShT-eMCtK--X86sw \
    KAFKA_JVM_PERFORMANCE_OPTS='-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ArchiveClassesAtExit=/opt/kafka/storage.jsa' \
    /opt/kafka/bin/kafka-run-class.sh kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
    --mounted-configs-dir /mnt/shared/config --final-configs-dir "$scratch/config" >"$scratch/storage.log" 2>&1 ||
    { cat "$scratch/storage.log"; exit 1; }

KAFKA_JVM_PERFORMANCE_OPTS='-server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true -XX:ArchiveClassesAtExit=/opt/kafka/kafka.jsa' \
    /opt/kafka/bin/kafka-server-start.sh "$scratch/server.properties" >"$scratch/broker.log" 2>&1 &
broker=$!
for _ in $(seq 120); do
    grep -q 'Kafka Server started' "$scratch/broker.log" && break
    kill -0 "$broker" 2>/dev/null || { cat "$scratch/broker.log"; exit 1; }
    sleep 0.5
done
grep -q 'Kafka Server started' "$scratch/broker.log" || { echo 'no broker within 60 s:'; tail -n 20 "$scratch/broker.log"; exit 1; }
# A topic, a record and a group load the classes of the paths that every run takes.
topic() { KAFKA_HEAP_OPTS=-Xmx128m KAFKA_JVM_PERFORMANCE_OPTS='-XX:TieredStopAtLevel=1' "$@"; }
topic /opt/kafka/bin/kafka-topics.sh --bootstrap-server localhost:29092 --create --topic warm --partitions 1 >/dev/null
echo hello | topic /opt/kafka/bin/kafka-console-producer.sh --bootstrap-server localhost:29092 --topic warm
topic /opt/kafka/bin/kafka-console-consumer.sh --bootstrap-server localhost:29092 --topic warm --group warm --from-beginning \
    --max-messages 1 --timeout-ms 20000 >/dev/null
kill -TERM "$broker"
wait "$broker" || true
for archive in /opt/kafka/storage.jsa /opt/kafka/kafka.jsa; do
    [ -s "$archive" ] || { echo "no $archive:"; tail -n 20 "$scratch/broker.log" "$scratch/storage.log"; exit 1; }
done
rm -rf "$scratch"
