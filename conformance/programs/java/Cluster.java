import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The broker under test: makes clients for it, and topics with names of their own. */
final class Cluster implements AutoCloseable {
    static final Duration TICK = Duration.ofMillis(100);
    private static final long PATIENCE_NANOS = 30_000_000_000L;
    final String servers;
    final Admin admin;

    Cluster(String servers) {
        this.servers = servers;
        this.admin = Admin.create(Map.of("bootstrap.servers", servers));
    }

    static String unique(String prefix) {
        return prefix + "-" + UUID.randomUUID().toString().substring(0, 8);
    }

    String topic(int partitions) throws Exception {
        return topic(partitions, Map.of());
    }

    String topic(int partitions, Map<String, String> configs) throws Exception {
        String name = unique("java");
        admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(configs))).all().get();
        return name;
    }

    KafkaProducer<String, String> producer(Object... settings) {
        return new KafkaProducer<>(settings(settings), new StringSerializer(), new StringSerializer());
    }

    /** Without a "group.id" in the settings it can only be assigned partitions. */
    KafkaConsumer<String, String> consumer(Object... settings) {
        Map<String, Object> all = settings(settings);
        all.putIfAbsent("auto.offset.reset", "earliest");
        all.putIfAbsent("enable.auto.commit", "false");
        return new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer());
    }

    private Map<String, Object> settings(Object... settings) {
        Map<String, Object> all = new HashMap<>(Map.of("bootstrap.servers", servers));
        for (int i = 0; i < settings.length; i += 2) {
            all.put((String) settings[i], settings[i + 1]);
        }
        return all;
    }

    /** Produces values "0" to "count - 1", spread over the partitions, and waits for every acknowledgement. */
    void fill(String topic, int partitions, int count) throws Exception {
        try (KafkaProducer<String, String> producer = producer("linger.ms", "5")) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                sent.add(producer.send(new ProducerRecord<>(topic, i % partitions, "k" + i, Integer.toString(i))));
            }
            for (Future<RecordMetadata> each : sent) {
                each.get();
            }
        }
    }

    /** Reads whole partitions from their beginnings to their ends as this isolation level sees them. */
    List<ConsumerRecord<String, String>> readAll(String topic, int partitions, String isolation) {
        try (KafkaConsumer<String, String> consumer = consumer("isolation.level", isolation)) {
            List<TopicPartition> all = new ArrayList<>();
            for (int i = 0; i < partitions; i++) {
                all.add(new TopicPartition(topic, i));
            }
            consumer.assign(all);
            consumer.seekToBeginning(all);
            Map<TopicPartition, Long> ends = consumer.endOffsets(all);
            List<ConsumerRecord<String, String>> records = new ArrayList<>();
            eventually("reading " + topic + " to its end", () -> {
                consumer.poll(TICK).forEach(records::add);
                return ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
            });
            return records;
        }
    }

    static List<String> values(Collection<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::value).toList();
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    /** Waits until a condition holds; what it polls makes it wait a little. */
    static void eventually(String what, Condition condition) {
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        try {
            while (!condition.holds()) {
                Checks.require(System.nanoTime() < deadline, "Waited too long for " + what);
            }
        } catch (RuntimeException error) {
            throw error;
        } catch (Exception error) {
            throw new AssertionError("While waiting for " + what + ": " + error, error);
        }
    }

    @Override
    public void close() {
        admin.close();
    }
}
