import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;

/** Transactions: committed, aborted, timed out, fenced, with offsets. */
final class TransactionChecks {
    private static final int PARTITIONS = 3;
    private final Cluster cluster;

    TransactionChecks(Cluster cluster) {
        this.cluster = cluster;
    }

    void addTo(Checks checks) {
        checks.add("transactions_commit_and_abort", this::commitAndAbort);
        checks.add("transactions_open_ones_are_not_read", this::openOnesAreNotRead);
        checks.add("transactions_consume_transform_produce", () -> consumeTransformProduce());
        checks.add("transactions_consume_transform_produce_consumer_protocol",
                () -> consumeTransformProduce("group.protocol", "consumer"));
        checks.add("transactions_aborted_offsets_are_not_kept", this::abortedOffsets);
        checks.add("transactions_zombie_is_fenced", this::zombieIsFenced);
        checks.add("transactions_time_out", this::timeOut);
        checks.add("transactions_many_small_ones", this::manySmallOnes);
        checks.add("transactions_aborted_by_closing", this::abortedByClosing);
    }

    private KafkaProducer<String, String> producer(String id, Object... more) {
        Object[] settings = new Object[more.length + 2];
        settings[0] = "transactional.id";
        settings[1] = id;
        System.arraycopy(more, 0, settings, 2, more.length);
        KafkaProducer<String, String> producer = cluster.producer(settings);
        producer.initTransactions();
        return producer;
    }

    private static void send(KafkaProducer<String, String> producer, String topic, String prefix, int count) {
        for (int i = 0; i < count; i++) {
            producer.send(new ProducerRecord<>(topic, i % PARTITIONS, "k", prefix + i));
        }
    }

    private void commitAndAbort() throws Exception {
        String topic = cluster.topic(PARTITIONS);
        try (KafkaProducer<String, String> producer = producer(Cluster.unique("tx"))) {
            for (int round = 0; round < 10; round++) {
                producer.beginTransaction();
                send(producer, topic, round + "-", 30);
                if (round % 2 == 0) {
                    producer.commitTransaction();
                } else {
                    producer.flush();
                    producer.abortTransaction();
                }
            }
        }
        List<String> committed = Cluster.values(cluster.readAll(topic, PARTITIONS, "read_committed"));
        Checks.same(150, committed.size());
        Checks.require(committed.stream().allMatch(each -> (each.charAt(0) - '0') % 2 == 0), "Aborted ones were read");
        Checks.same(300, cluster.readAll(topic, PARTITIONS, "read_uncommitted").size());
    }

    private void openOnesAreNotRead() throws Exception {
        String topic = cluster.topic(PARTITIONS);
        try (KafkaProducer<String, String> producer = producer(Cluster.unique("tx"))) {
            producer.beginTransaction();
            send(producer, topic, "a", 30);
            producer.flush();
            cluster.fill(topic, PARTITIONS, 30);
            Checks.same(0, cluster.readAll(topic, PARTITIONS, "read_committed").size());
            Checks.same(60, cluster.readAll(topic, PARTITIONS, "read_uncommitted").size());
            producer.commitTransaction();
        }
        Checks.same(60, cluster.readAll(topic, PARTITIONS, "read_committed").size());
    }

    private void consumeTransformProduce(Object... consumerSettings) throws Exception {
        String in = cluster.topic(PARTITIONS);
        String out = cluster.topic(PARTITIONS);
        cluster.fill(in, PARTITIONS, 300);
        List<Object> settings = new ArrayList<>(List.of(
                "group.id", Cluster.unique("group"), "max.poll.records", "20", "isolation.level", "read_committed"));
        settings.addAll(List.of(consumerSettings));
        int done = 0;
        try (KafkaConsumer<String, String> consumer = cluster.consumer(settings.toArray());
                KafkaProducer<String, String> producer = producer(Cluster.unique("tx"))) {
            consumer.subscribe(List.of(in));
            for (int round = 0; done < 300; round++) {
                Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
                List<ConsumerRecord<String, String>> batch = new ArrayList<>();
                consumer.poll(Cluster.TICK).forEach(batch::add);
                if (batch.isEmpty()) {
                    Checks.require(round < 300, "Read only " + done);
                    continue;
                }
                producer.beginTransaction();
                for (ConsumerRecord<String, String> each : batch) {
                    TopicPartition partition = new TopicPartition(in, each.partition());
                    positions.put(partition, new OffsetAndMetadata(each.offset() + 1));
                    producer.send(new ProducerRecord<>(out, each.partition(), each.key(), each.value()));
                }
                producer.sendOffsetsToTransaction(positions, consumer.groupMetadata());
                if (round % 3 == 1) {
                    producer.abortTransaction();
                    Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(positions.keySet());
                    positions.keySet().forEach(each -> {
                        OffsetAndMetadata place = committed.get(each);
                        consumer.seek(each, place == null ? 0 : place.offset());
                    });
                } else {
                    producer.commitTransaction();
                    done += batch.size();
                }
            }
        }
        List<String> values = Cluster.values(cluster.readAll(out, PARTITIONS, "read_committed"));
        Checks.same(300, values.size());
        Checks.same(300, Set.copyOf(values).size());
    }

    private void abortedOffsets() throws Exception {
        String topic = cluster.topic(1);
        TopicPartition partition = new TopicPartition(topic, 0);
        cluster.fill(topic, 1, 10);
        try (KafkaConsumer<String, String> consumer = cluster.consumer("group.id", Cluster.unique("group"));
                KafkaProducer<String, String> producer = producer(Cluster.unique("tx"))) {
            consumer.subscribe(List.of(topic));
            Cluster.eventually("records", () -> consumer.poll(Cluster.TICK).count() > 0);
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(5)), consumer.groupMetadata());
            producer.abortTransaction();
            Checks.require(consumer.committed(Set.of(partition)).get(partition) == null, "An aborted offset was kept");
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(7)), consumer.groupMetadata());
            producer.commitTransaction();
            Checks.same(7L, consumer.committed(Set.of(partition)).get(partition).offset());
        }
    }

    private void zombieIsFenced() throws Exception {
        String topic = cluster.topic(PARTITIONS);
        String id = Cluster.unique("tx");
        try (KafkaProducer<String, String> zombie = producer(id)) {
            zombie.beginTransaction();
            send(zombie, topic, "zombie", 30);
            zombie.flush();
            try (KafkaProducer<String, String> successor = producer(id)) {
                successor.beginTransaction();
                send(successor, topic, "live", 30);
                successor.commitTransaction();
            }
            Checks.fails(ProducerFencedException.class, zombie::commitTransaction);
        }
        List<String> values = Cluster.values(cluster.readAll(topic, PARTITIONS, "read_committed"));
        Checks.same(30, values.size());
        Checks.require(values.stream().allMatch(each -> each.startsWith("live")), "A zombie's record was read");
    }

    private void timeOut() throws Exception {
        String topic = cluster.topic(PARTITIONS);
        try (KafkaProducer<String, String> producer = producer(Cluster.unique("tx"), "transaction.timeout.ms", "1000")) {
            producer.beginTransaction();
            send(producer, topic, "late", 30);
            producer.flush();
            cluster.fill(topic, PARTITIONS, 30);
            Cluster.eventually("the time-out",
                    () -> cluster.readAll(topic, PARTITIONS, "read_committed").size() == 30);
            Checks.fails(KafkaException.class, () -> {
                send(producer, topic, "later", 3);
                producer.commitTransaction();
            });
        }
        Checks.same(30, cluster.readAll(topic, PARTITIONS, "read_committed").size());
    }

    private void manySmallOnes() throws Exception {
        String topic = cluster.topic(PARTITIONS);
        try (KafkaProducer<String, String> producer = producer(Cluster.unique("tx"))) {
            for (int i = 0; i < 300; i++) {
                producer.beginTransaction();
                send(producer, topic, i + "-", 3);
                producer.commitTransaction();
            }
        }
        Checks.same(900, cluster.readAll(topic, PARTITIONS, "read_committed").size());
    }

    private void abortedByClosing() throws Exception {
        String topic = cluster.topic(PARTITIONS);
        String id = Cluster.unique("tx");
        KafkaProducer<String, String> producer = producer(id);
        producer.beginTransaction();
        send(producer, topic, "never", 30);
        producer.flush();
        producer.close();
        try (KafkaProducer<String, String> successor = producer(id)) {
            successor.beginTransaction();
            send(successor, topic, "yes", 3);
            successor.commitTransaction();
        }
        Checks.same(3, cluster.readAll(topic, PARTITIONS, "read_committed").size());
    }
}
