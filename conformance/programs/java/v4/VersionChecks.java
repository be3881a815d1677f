import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.config.ConfigResource;

/** What clients have since 4.0. */
final class VersionChecks {
    private final Cluster cluster;

    VersionChecks(Cluster cluster) {
        this.cluster = cluster;
    }

    void addTo(Checks checks) {
        checks.add("consumer_protocol_server_side_pattern", this::serverSidePattern);
        checks.add("admin_list_groups", this::listGroups);
        checks.add("admin_describe_classic_groups", this::describeClassicGroups);
        checks.add("admin_list_config_resources", this::listConfigResources);
    }

    private KafkaConsumer<String, String> joined(String topic, String group, String protocol) {
        KafkaConsumer<String, String> consumer = cluster.consumer("group.id", group, "group.protocol", protocol);
        consumer.subscribe(List.of(topic));
        Cluster.eventually("its assignment", () -> {
            consumer.poll(Cluster.TICK);
            return !consumer.assignment().isEmpty();
        });
        return consumer;
    }

    private void serverSidePattern() throws Exception {
        String topic = cluster.topic(2);
        try (KafkaConsumer<String, String> consumer =
                cluster.consumer("group.id", Cluster.unique("group"), "group.protocol", "consumer")) {
            consumer.subscribe(new SubscriptionPattern(topic.substring(0, topic.length() - 1) + ".*"));
            Cluster.eventually("its assignment", () -> {
                consumer.poll(Cluster.TICK);
                return consumer.assignment().size() == 2;
            });
        }
    }

    private void listGroups() throws Exception {
        String topic = cluster.topic(1);
        String classic = Cluster.unique("group");
        String modern = Cluster.unique("group");
        try (KafkaConsumer<String, String> one = joined(topic, classic, "classic");
                KafkaConsumer<String, String> two = joined(topic, modern, "consumer")) {
            Map<String, GroupListing> groups = new java.util.HashMap<>();
            cluster.admin.listGroups().all().get().forEach(each -> groups.put(each.groupId(), each));
            Checks.same(GroupType.CLASSIC, groups.get(classic).type().orElseThrow());
            Checks.same(GroupType.CONSUMER, groups.get(modern).type().orElseThrow());
            Checks.same("consumer", groups.get(classic).protocol());
        }
    }

    private void describeClassicGroups() throws Exception {
        String group = Cluster.unique("group");
        try (KafkaConsumer<String, String> consumer = joined(cluster.topic(1), group, "classic")) {
            var described = cluster.admin.describeClassicGroups(List.of(group)).all().get().get(group);
            Checks.same("range", described.protocolData());
            Checks.same(1, described.members().size());
        }
    }

    private void listConfigResources() throws Exception {
        String topic = cluster.topic(1, Map.of("retention.ms", "60000"));
        var resources = cluster.admin.listConfigResources(Set.of(ConfigResource.Type.TOPIC), new org.apache.kafka.clients.admin.ListConfigResourcesOptions()).all().get();
        Checks.require(resources.contains(new ConfigResource(ConfigResource.Type.TOPIC, topic)), "It is not listed");
    }
}
