import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.WakeupException;

/** Consumer groups: the classic protocol with each assignor, and the consumer protocol (KIP-848). */
final class GroupChecks {
    private static final String PACKAGE = "org.apache.kafka.clients.consumer.";
    private final Cluster cluster;

    GroupChecks(Cluster cluster) {
        this.cluster = cluster;
    }

    void addTo(Checks checks) {
        Map<String, String> assignors = Map.of(
                "range", "RangeAssignor",
                "roundrobin", "RoundRobinAssignor",
                "sticky", "StickyAssignor",
                "cooperative_sticky", "CooperativeStickyAssignor");
        assignors.forEach((name, assignor) -> checks.add("classic_" + name,
                () -> membersComeAndGo("partition.assignment.strategy", PACKAGE + assignor)));
        for (String assignor : List.of("uniform", "range")) {
            checks.add("consumer_protocol_" + assignor, () -> membersComeAndGo(
                    "group.protocol", "consumer", "group.remote.assignor", assignor));
        }
        checks.add("classic_committed_offsets", () -> committedOffsets());
        checks.add("consumer_protocol_committed_offsets", () -> committedOffsets("group.protocol", "consumer"));
        checks.add("classic_auto_commit", () -> autoCommit());
        checks.add("consumer_protocol_auto_commit", () -> autoCommit("group.protocol", "consumer"));
        checks.add("classic_static_member_returns", () -> staticMemberReturns());
        checks.add("consumer_protocol_static_member_returns", () -> staticMemberReturns("group.protocol", "consumer"));
        checks.add("classic_static_member_is_fenced", this::staticMemberIsFenced);
        checks.add("classic_pattern", () -> pattern("metadata.max.age.ms", "500"));
        checks.add("consumer_protocol_pattern",
                () -> pattern("group.protocol", "consumer", "metadata.max.age.ms", "500"));
        checks.add("classic_member_that_stops_polling", this::memberThatStopsPolling);
        checks.add("classic_new_partitions_are_assigned", () -> newPartitions("metadata.max.age.ms", "500"));
        checks.add("consumer_protocol_new_partitions_are_assigned",
                () -> newPartitions("group.protocol", "consumer", "metadata.max.age.ms", "500"));
        checks.add("group_changes_protocol_when_empty", this::changesProtocol);
    }

    /** A consumer that polls on its own thread, until it is stopped. */
    private final class Member implements ConsumerRebalanceListener, AutoCloseable {
        final Set<TopicPartition> owned = ConcurrentHashMap.newKeySet();
        final AtomicInteger revocations = new AtomicInteger();
        final Set<String> values;
        private final KafkaConsumer<String, String> consumer;
        private final Thread thread;
        private volatile Throwable failure;

        Member(Set<String> values, Object topics, Object... settings) {
            this.values = values;
            this.consumer = cluster.consumer(settings);
            if (topics instanceof Pattern regular) {
                consumer.subscribe(regular, this);
            } else {
                consumer.subscribe(List.of((String) topics), this);
            }
            thread = new Thread(this::poll);
            thread.start();
        }

        private void poll() {
            try (consumer) {
                while (true) {
                    for (ConsumerRecord<String, String> each : consumer.poll(Cluster.TICK)) {
                        values.add(each.value());
                    }
                }
            } catch (WakeupException asked) {
                return;
            } catch (Throwable error) {
                failure = error;
            }
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            if (!partitions.isEmpty()) {
                revocations.incrementAndGet();
            }
            consumer.commitSync();
            owned.removeAll(partitions);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            owned.removeAll(partitions);
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            owned.addAll(partitions);
        }

        int count() {
            if (failure != null) {
                throw new AssertionError("A member failed: " + failure, failure);
            }
            return owned.size();
        }

        @Override
        public void close() throws InterruptedException {
            consumer.wakeup();
            thread.join();
        }
    }

    private static Object[] with(Object[] settings, Object... more) {
        List<Object> all = new ArrayList<>(Arrays.asList(more));
        all.addAll(Arrays.asList(settings));
        return all.toArray();
    }

    private static void balanced(int partitions, Member... members) {
        Cluster.eventually(members.length + " members to share " + partitions + " partitions", () -> {
            Thread.sleep(20);
            Set<TopicPartition> all = new HashSet<>();
            int sum = 0;
            for (Member each : members) {
                int count = each.count();
                if (count < partitions / members.length || count > (partitions + members.length - 1) / members.length) {
                    return false;
                }
                sum += count;
                all.addAll(each.owned);
            }
            return sum == partitions && all.size() == partitions;
        });
    }

    private void membersComeAndGo(Object... settings) throws Exception {
        String topic = cluster.topic(6);
        Object[] all = with(settings, "group.id", Cluster.unique("group"), "max.poll.records", "50");
        Set<String> values = ConcurrentHashMap.newKeySet();
        cluster.fill(topic, 6, 600);
        try (Member first = new Member(values, topic, all)) {
            balanced(6, first);
            try (Member second = new Member(values, topic, all); Member third = new Member(values, topic, all)) {
                balanced(6, first, second, third);
                for (int i = 0; i < 6; i++) {
                    cluster.fill(topic, 6, 600 + i);
                }
            }
            balanced(6, first);
            Cluster.eventually("every record", () -> {
                Thread.sleep(20);
                return values.size() == 605;
            });
        }
    }

    private void committedOffsets(Object... settings) throws Exception {
        String topic = cluster.topic(1);
        TopicPartition partition = new TopicPartition(topic, 0);
        Object[] all = with(settings, "group.id", Cluster.unique("group"), "max.poll.records", "10");
        cluster.fill(topic, 1, 100);
        try (KafkaConsumer<String, String> consumer = cluster.consumer(all)) {
            consumer.subscribe(List.of(topic));
            Cluster.eventually("records", () -> consumer.poll(Cluster.TICK).count() > 0);
            consumer.commitSync(Map.of(partition, new OffsetAndMetadata(42, "the answer")));
            OffsetAndMetadata committed = consumer.committed(Set.of(partition)).get(partition);
            Checks.same(42L, committed.offset());
            Checks.same("the answer", committed.metadata());
        }
        try (KafkaConsumer<String, String> consumer = cluster.consumer(all)) {
            consumer.subscribe(List.of(topic));
            List<ConsumerRecord<String, String>> read = new ArrayList<>();
            Cluster.eventually("records", () -> {
                consumer.poll(Cluster.TICK).forEach(read::add);
                return !read.isEmpty();
            });
            Checks.same(42L, read.get(0).offset());
        }
    }

    private void autoCommit(Object... settings) throws Exception {
        String topic = cluster.topic(1);
        TopicPartition partition = new TopicPartition(topic, 0);
        Object[] all = with(settings, "group.id", Cluster.unique("group"), "enable.auto.commit", "true");
        cluster.fill(topic, 1, 100);
        try (KafkaConsumer<String, String> consumer = cluster.consumer(all)) {
            consumer.subscribe(List.of(topic));
            Cluster.eventually("all records", () -> {
                consumer.poll(Cluster.TICK);
                return consumer.assignment().contains(partition) && consumer.position(partition) == 100;
            });
        }
        try (KafkaConsumer<String, String> consumer = cluster.consumer(all)) {
            Checks.same(100L, consumer.committed(Set.of(partition)).get(partition).offset());
        }
    }

    private void staticMemberReturns(Object... settings) throws Exception {
        String topic = cluster.topic(4);
        String group = Cluster.unique("group");
        Set<String> values = ConcurrentHashMap.newKeySet();
        Object[] one = with(settings, "group.id", group, "group.instance.id", "one");
        Object[] two = with(settings, "group.id", group, "group.instance.id", "two");
        try (Member stays = new Member(values, topic, one)) {
            balanced(4, stays);
            Set<TopicPartition> before;
            int revocations;
            try (Member leaves = new Member(values, topic, two)) {
                balanced(4, stays, leaves);
                before = Set.copyOf(leaves.owned);
                revocations = stays.revocations.get();
            }
            try (Member returns = new Member(values, topic, two)) {
                balanced(4, stays, returns);
                Checks.same(before, Set.copyOf(returns.owned));
                Checks.same(revocations, stays.revocations.get());
            }
        }
    }

    private void staticMemberIsFenced() throws Exception {
        String topic = cluster.topic(1);
        Object[] settings = {"group.id", Cluster.unique("group"), "group.instance.id", "same",
            "heartbeat.interval.ms", "200"};
        try (KafkaConsumer<String, String> old = cluster.consumer(settings)) {
            old.subscribe(List.of(topic));
            Cluster.eventually("the first to join", () -> {
                old.poll(Cluster.TICK);
                return !old.assignment().isEmpty();
            });
            try (KafkaConsumer<String, String> successor = cluster.consumer(settings)) {
                successor.subscribe(List.of(topic));
                Cluster.eventually("its successor to join", () -> {
                    successor.poll(Cluster.TICK);
                    return !successor.assignment().isEmpty();
                });
                Checks.fails(FencedInstanceIdException.class, () -> Cluster.eventually("the first to be fenced",
                        () -> old.poll(Cluster.TICK).count() < 0));
            }
        }
    }

    private void pattern(Object... settings) throws Exception {
        String prefix = Cluster.unique("pattern");
        cluster.admin.createTopics(List.of(
                new org.apache.kafka.clients.admin.NewTopic(prefix + "-a", 2, (short) 1))).all().get();
        Object[] all = with(settings, "group.id", Cluster.unique("group"));
        try (Member member = new Member(ConcurrentHashMap.newKeySet(), Pattern.compile(prefix + "-.*"), all)) {
            balanced(2, member);
            cluster.admin.createTopics(List.of(
                    new org.apache.kafka.clients.admin.NewTopic(prefix + "-b", 3, (short) 1))).all().get();
            balanced(5, member);
        }
    }

    private void newPartitions(Object... settings) throws Exception {
        String topic = cluster.topic(1);
        Object[] all = with(settings, "group.id", Cluster.unique("group"));
        try (Member member = new Member(ConcurrentHashMap.newKeySet(), topic, all)) {
            balanced(1, member);
            cluster.admin.createPartitions(
                    Map.of(topic, org.apache.kafka.clients.admin.NewPartitions.increaseTo(3))).all().get();
            balanced(3, member);
        }
    }

    private void memberThatStopsPolling() throws Exception {
        String topic = cluster.topic(2);
        String group = Cluster.unique("group");
        Set<String> values = ConcurrentHashMap.newKeySet();
        try (KafkaConsumer<String, String> lazy = cluster.consumer("group.id", group, "max.poll.interval.ms", "1000")) {
            lazy.subscribe(List.of(topic));
            Cluster.eventually("the lazy one to join", () -> {
                lazy.poll(Cluster.TICK);
                return lazy.assignment().size() == 2;
            });
            try (Member busy = new Member(values, topic, "group.id", group)) {
                balanced(2, busy);
            }
        }
    }

    /** An upgrade with a pause: a group that is empty goes on with the other protocol, from its committed offsets. */
    private void changesProtocol() throws Exception {
        String topic = cluster.topic(2);
        String group = Cluster.unique("group");
        for (String protocol : List.of("classic", "consumer", "classic")) {
            cluster.fill(topic, 2, 100);
            try (KafkaConsumer<String, String> consumer =
                    cluster.consumer("group.id", group, "group.protocol", protocol)) {
                consumer.subscribe(List.of(topic));
                List<ConsumerRecord<String, String>> read = new ArrayList<>();
                Cluster.eventually("100 records with " + protocol, () -> {
                    consumer.poll(Cluster.TICK).forEach(read::add);
                    return read.size() >= 100;
                });
                Checks.same(100, read.size());
                consumer.commitSync();
            }
        }
    }
}
