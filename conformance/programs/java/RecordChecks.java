import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.record.TimestampType;

/** Producing and consuming, without groups and transactions. */
final class RecordChecks {
    private final Cluster cluster;

    RecordChecks(Cluster cluster) {
        this.cluster = cluster;
    }

    void addTo(Checks checks) {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            checks.add("compression_" + codec, () -> roundTrip(codec));
        }
        for (String acks : List.of("0", "1", "all")) {
            checks.add("acks_" + acks, () -> acknowledgements(acks));
        }
        checks.add("headers_keys_timestamps", this::headersKeysTimestamps);
        checks.add("idempotent_order", this::idempotentOrder);
        checks.add("large_records", this::largeRecords);
        checks.add("log_append_time", this::logAppendTime);
        checks.add("seek_pause_position", this::seekPausePosition);
        checks.add("offsets_for_times", this::offsetsForTimes);
        checks.add("offset_out_of_range", this::offsetOutOfRange);
        checks.add("auto_created_topic", this::autoCreatedTopic);
        checks.add("partitions_added_later", this::partitionsAddedLater);
    }

    private void roundTrip(String codec) throws Exception {
        String topic = cluster.topic(3);
        try (KafkaProducer<String, String> producer = cluster.producer("compression.type", codec, "linger.ms", "20")) {
            for (int i = 0; i < 5_000; i++) {
                producer.send(new ProducerRecord<>(topic, "key" + i % 100, "value " + i + " ".repeat(i % 50)));
            }
        }
        List<ConsumerRecord<String, String>> read = cluster.readAll(topic, 3, "read_committed");
        Checks.same(5_000, read.size());
        Checks.same(5_000, Set.copyOf(Cluster.values(read)).size());
    }

    private void acknowledgements(String acks) throws Exception {
        String topic = cluster.topic(1);
        try (KafkaProducer<String, String> producer =
                cluster.producer("acks", acks, "enable.idempotence", "false", "linger.ms", "0")) {
            for (int i = 0; i < 500; i++) {
                producer.send(new ProducerRecord<>(topic, Integer.toString(i)));
            }
        }
        Cluster.eventually("500 records", () -> cluster.readAll(topic, 1, "read_uncommitted").size() == 500);
    }

    private void headersKeysTimestamps() throws Exception {
        String topic = cluster.topic(1);
        try (KafkaProducer<String, String> producer = cluster.producer()) {
            ProducerRecord<String, String> full = new ProducerRecord<>(topic, 0, 1_234_567_890_123L, "키", "값");
            full.headers().add("a", "1".getBytes(StandardCharsets.UTF_8)).add("a", new byte[0]).add("none", null);
            RecordMetadata place = producer.send(full).get();
            Checks.same(0L, place.offset());
            Checks.same(1_234_567_890_123L, place.timestamp());
            producer.send(new ProducerRecord<>(topic, 0, null, (String) null)).get();
            producer.send(new ProducerRecord<>(topic, 0, "", "")).get();
        }
        List<ConsumerRecord<String, String>> read = cluster.readAll(topic, 1, "read_uncommitted");
        ConsumerRecord<String, String> first = read.get(0);
        Checks.same("키", first.key());
        Checks.same("값", first.value());
        Checks.same(1_234_567_890_123L, first.timestamp());
        Checks.same(TimestampType.CREATE_TIME, first.timestampType());
        Checks.same(3, first.headers().toArray().length);
        Checks.same(0, first.headers().toArray()[1].value().length);
        Checks.require(first.headers().lastHeader("none").value() == null, "A null header has a value");
        Checks.require(read.get(1).key() == null && read.get(1).value() == null, "Nulls are not null");
        Checks.same("", read.get(2).key());
        Checks.same("", read.get(2).value());
    }

    private void idempotentOrder() throws Exception {
        String topic = cluster.topic(1);
        try (KafkaProducer<String, String> producer = cluster.producer(
                "enable.idempotence", "true", "max.in.flight.requests.per.connection", "5", "batch.size", "500")) {
            for (int i = 0; i < 10_000; i++) {
                producer.send(new ProducerRecord<>(topic, Integer.toString(i)));
            }
        }
        List<ConsumerRecord<String, String>> read = cluster.readAll(topic, 1, "read_committed");
        Checks.same(10_000, read.size());
        for (int i = 0; i < read.size(); i++) {
            Checks.same(Integer.toString(i), read.get(i).value());
        }
    }

    private void largeRecords() throws Exception {
        String topic = cluster.topic(1);
        String wide = cluster.topic(1, Map.of("max.message.bytes", "8000000"));
        try (KafkaProducer<String, String> producer =
                cluster.producer("max.request.size", "10000000", "buffer.memory", "64000000")) {
            producer.send(new ProducerRecord<>(topic, "x".repeat(900_000))).get();
            Checks.fails(RecordTooLargeException.class,
                    () -> producer.send(new ProducerRecord<>(topic, "x".repeat(2_000_000))).get());
            producer.send(new ProducerRecord<>(wide, "y".repeat(7_000_000))).get();
        }
        Checks.same(900_000, cluster.readAll(topic, 1, "read_uncommitted").get(0).value().length());
        Checks.same(7_000_000, cluster.readAll(wide, 1, "read_uncommitted").get(0).value().length());
    }

    private void logAppendTime() throws Exception {
        String topic = cluster.topic(1, Map.of("message.timestamp.type", "LogAppendTime"));
        long before = System.currentTimeMillis();
        try (KafkaProducer<String, String> producer = cluster.producer("compression.type", "gzip")) {
            RecordMetadata place = producer.send(new ProducerRecord<>(topic, 0, 1_000L, "k", "v")).get();
            Checks.require(place.timestamp() >= before, "The producer was told " + place.timestamp());
        }
        ConsumerRecord<String, String> read = cluster.readAll(topic, 1, "read_uncommitted").get(0);
        Checks.same(TimestampType.LOG_APPEND_TIME, read.timestampType());
        Checks.require(read.timestamp() >= before, "The record says " + read.timestamp());
    }

    private void seekPausePosition() throws Exception {
        String topic = cluster.topic(2);
        cluster.fill(topic, 2, 200);
        TopicPartition zero = new TopicPartition(topic, 0);
        TopicPartition one = new TopicPartition(topic, 1);
        try (KafkaConsumer<String, String> consumer = cluster.consumer("max.poll.records", "10")) {
            Checks.same(2, consumer.partitionsFor(topic).size());
            Checks.require(consumer.listTopics().containsKey(topic), "The topic is not listed");
            consumer.assign(List.of(zero, one));
            consumer.seek(zero, new OffsetAndMetadata(90));
            consumer.seekToEnd(List.of(one));
            Checks.same(100L, consumer.position(one));
            consumer.pause(List.of(one));
            List<ConsumerRecord<String, String>> read = new ArrayList<>();
            Cluster.eventually("the last ten", () -> {
                consumer.poll(Cluster.TICK).forEach(read::add);
                return read.size() >= 10;
            });
            Checks.same(10, read.size());
            Checks.same(90L, read.get(0).offset());
            Checks.same(100L, consumer.position(zero));
            consumer.resume(List.of(one));
            consumer.seek(one, 99);
            Cluster.eventually("the last one", () -> consumer.poll(Cluster.TICK).count() == 1);
            Checks.same(0L, consumer.currentLag(one).orElse(-1));
            Checks.same(Map.of(zero, 0L, one, 0L), consumer.beginningOffsets(List.of(zero, one)));
        }
    }

    private void offsetsForTimes() throws Exception {
        String topic = cluster.topic(1);
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaProducer<String, String> producer = cluster.producer("linger.ms", "50")) {
            for (int i = 0; i < 100; i++) {
                producer.send(new ProducerRecord<>(topic, 0, 1_000_000L + i * 10, "k", "v"));
            }
        }
        try (KafkaConsumer<String, String> consumer = cluster.consumer()) {
            Checks.same(50L, consumer.offsetsForTimes(Map.of(partition, 1_000_500L)).get(partition).offset());
            Checks.same(1_000_510L, consumer.offsetsForTimes(Map.of(partition, 1_000_501L)).get(partition).timestamp());
            Checks.require(consumer.offsetsForTimes(Map.of(partition, 9_000_000L)).get(partition) == null, "Found");
        }
    }

    private void offsetOutOfRange() throws Exception {
        String topic = cluster.topic(1);
        cluster.fill(topic, 1, 10);
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaConsumer<String, String> consumer = cluster.consumer("auto.offset.reset", "none")) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, 1_000);
            OffsetOutOfRangeException error = Checks.fails(OffsetOutOfRangeException.class,
                    () -> Cluster.eventually("an error", () -> consumer.poll(Cluster.TICK).count() < 0));
            Checks.same(Map.of(partition, 1_000L), error.offsetOutOfRangePartitions());
        }
    }

    private void autoCreatedTopic() throws Exception {
        String topic = Cluster.unique("made-by-producing");
        try (KafkaProducer<String, String> producer = cluster.producer()) {
            producer.send(new ProducerRecord<>(topic, "first")).get();
        }
        Checks.require(cluster.admin.listTopics().names().get().contains(topic), "It is not listed");
    }

    private void partitionsAddedLater() throws Exception {
        String topic = cluster.topic(1);
        cluster.fill(topic, 1, 10);
        cluster.admin.createPartitions(
                Map.of(topic, org.apache.kafka.clients.admin.NewPartitions.increaseTo(4))).all().get();
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<String, String> producer = cluster.producer()) {
            for (int i = 0; i < 4; i++) {
                sent.add(producer.send(new ProducerRecord<>(topic, i, "k", "v")));
            }
        }
        Set<Integer> partitions = new java.util.HashSet<>();
        for (Future<RecordMetadata> each : sent) {
            partitions.add(each.get().partition());
        }
        Checks.same(Set.of(0, 1, 2, 3), partitions);
        Checks.same(14, cluster.readAll(topic, 4, "read_committed").stream().collect(Collectors.toList()).size());
    }
}
