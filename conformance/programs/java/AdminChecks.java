import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.ConsumerGroupListing;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicaAssignmentException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.NoReassignmentInProgressException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;

/** The admin client's calls, each with what it answers and how it refuses. */
final class AdminChecks {
    private final Cluster cluster;
    private final Admin admin;

    AdminChecks(Cluster cluster) {
        this.cluster = cluster;
        this.admin = cluster.admin;
    }

    void addTo(Checks checks) {
        checks.add("admin_topics", this::topics);
        checks.add("admin_topics_by_id", this::topicsById);
        checks.add("admin_refusals", this::refusals);
        checks.add("admin_validate_only", this::validateOnly);
        checks.add("admin_create_partitions", this::createPartitions);
        checks.add("admin_describe_cluster", this::describeCluster);
        checks.add("admin_topic_configs", this::topicConfigs);
        checks.add("admin_broker_configs", this::brokerConfigs);
        checks.add("admin_list_offsets", this::listOffsets);
        checks.add("admin_delete_records", this::deleteRecords);
        checks.add("admin_consumer_groups", this::consumerGroups);
        checks.add("admin_consumer_group_offsets", this::consumerGroupOffsets);
        checks.add("admin_remove_members", this::removeMembers);
        checks.add("admin_log_dirs", this::logDirs);
        checks.add("admin_elect_leaders", this::electLeaders);
        checks.add("admin_partition_reassignments", this::reassignments);
        checks.add("admin_producers_and_transactions", this::producersAndTransactions);
        checks.add("admin_abort_transaction", this::abortTransaction);
        checks.add("admin_fence_producers", this::fenceProducers);
        checks.add("admin_features", this::features);
        checks.add("admin_client_quotas", this::clientQuotas);
        checks.add("admin_scram_credentials", this::scramCredentials);
    }

    private void topics() throws Exception {
        String name = Cluster.unique("admin");
        NewTopic topic = new NewTopic(name, Optional.of(3), Optional.empty());
        Checks.same(3, admin.createTopics(List.of(topic)).numPartitions(name).get());
        Checks.require(admin.listTopics().names().get().contains(name), "It is not listed");
        TopicDescription described = admin.describeTopics(List.of(name)).allTopicNames().get().get(name);
        Checks.same(3, described.partitions().size());
        Checks.same(1, described.partitions().get(0).isr().size());
        admin.deleteTopics(List.of(name)).all().get();
        Checks.fails(UnknownTopicOrPartitionException.class,
                () -> admin.describeTopics(List.of(name)).allTopicNames().get());
    }

    private void topicsById() throws Exception {
        String name = cluster.topic(2);
        Uuid id = admin.listTopics().namesToListings().get().get(name).topicId();
        TopicDescription described =
                admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get().get(id);
        Checks.same(name, described.name());
        admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get();
        Checks.require(!admin.listTopics().names().get().contains(name), "It is still listed");
    }

    private void refusals() throws Exception {
        String name = cluster.topic(1);
        Checks.fails(TopicExistsException.class,
                () -> admin.createTopics(List.of(new NewTopic(name, 1, (short) 1))).all().get());
        Checks.fails(InvalidTopicException.class,
                () -> admin.createTopics(List.of(new NewTopic("no spaces", 1, (short) 1))).all().get());
        Checks.fails(InvalidPartitionsException.class,
                () -> admin.createTopics(List.of(new NewTopic(Cluster.unique("x"), 0, (short) 1))).all().get());
        Checks.fails(InvalidPartitionsException.class,
                () -> admin.createPartitions(Map.of(name, NewPartitions.increaseTo(1))).all().get());
        Checks.fails(InvalidConfigurationException.class, () -> cluster.topic(1, Map.of("retention.ms", "soon")));
        Checks.fails(UnknownTopicOrPartitionException.class,
                () -> admin.deleteTopics(List.of(Cluster.unique("unknown"))).all().get());
        Checks.fails(OffsetOutOfRangeException.class, () -> admin.deleteRecords(
                Map.of(new TopicPartition(name, 0), RecordsToDelete.beforeOffset(10))).all().get());
    }

    private void validateOnly() throws Exception {
        String name = Cluster.unique("never");
        admin.createTopics(List.of(new NewTopic(name, 1, (short) 1)),
                new org.apache.kafka.clients.admin.CreateTopicsOptions().validateOnly(true)).all().get();
        Checks.require(!admin.listTopics().names().get().contains(name), "It was made");
    }

    private void createPartitions() throws Exception {
        String name = cluster.topic(1);
        admin.createPartitions(Map.of(name, NewPartitions.increaseTo(5))).all().get();
        Checks.same(5, admin.describeTopics(List.of(name)).allTopicNames().get().get(name).partitions().size());
    }

    private void describeCluster() throws Exception {
        Checks.same(1, admin.describeCluster().nodes().get().size());
        Checks.same(admin.describeCluster().nodes().get().iterator().next(), admin.describeCluster().controller().get());
        Checks.same(22, admin.describeCluster().clusterId().get().length());
    }

    private static ConfigEntry entry(Config config, String name) {
        ConfigEntry entry = config.get(name);
        Checks.require(entry != null, "No entry " + name);
        return entry;
    }

    private void alter(ConfigResource resource, String name, String value, AlterConfigOp.OpType kind) throws Exception {
        Collection<AlterConfigOp> change = List.of(new AlterConfigOp(new ConfigEntry(name, value), kind));
        admin.incrementalAlterConfigs(Map.of(resource, change)).all().get();
    }

    private void topicConfigs() throws Exception {
        String name = cluster.topic(1, Map.of("retention.ms", "60000", "cleanup.policy", "compact"));
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, name);
        Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        Checks.same("60000", entry(config, "retention.ms").value());
        Checks.same(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, entry(config, "retention.ms").source());
        Checks.same(ConfigEntry.ConfigSource.DEFAULT_CONFIG, entry(config, "segment.bytes").source());
        alter(resource, "retention.ms", "", AlterConfigOp.OpType.DELETE);
        alter(resource, "cleanup.policy", "delete", AlterConfigOp.OpType.APPEND);
        alter(resource, "max.message.bytes", "2000000", AlterConfigOp.OpType.SET);
        config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        Checks.same(ConfigEntry.ConfigSource.DEFAULT_CONFIG, entry(config, "retention.ms").source());
        Checks.same("compact,delete", entry(config, "cleanup.policy").value());
        Checks.same("2000000", entry(config, "max.message.bytes").value());
        alter(resource, "cleanup.policy", "compact", AlterConfigOp.OpType.SUBTRACT);
        config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        Checks.same("delete", entry(config, "cleanup.policy").value());
        Checks.fails(InvalidConfigurationException.class,
                () -> alter(resource, "max.message.bytes", "-5", AlterConfigOp.OpType.SET));
    }

    private void brokerConfigs() throws Exception {
        String broker = Integer.toString(admin.describeCluster().nodes().get().iterator().next().id());
        ConfigResource resource = new ConfigResource(ConfigResource.Type.BROKER, broker);
        Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        Checks.require(!entry(config, "num.partitions").value().isEmpty(), "num.partitions is empty");
        Checks.require(!entry(config, "log.segment.bytes").value().isEmpty(), "log.segment.bytes is empty");
        alter(resource, "log.retention.ms", "123456789", AlterConfigOp.OpType.SET);
        config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        Checks.same("123456789", entry(config, "log.retention.ms").value());
        alter(resource, "log.retention.ms", "", AlterConfigOp.OpType.DELETE);
    }

    private long offset(String topic, OffsetSpec spec) throws Exception {
        TopicPartition partition = new TopicPartition(topic, 0);
        return admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
    }

    private void listOffsets() throws Exception {
        String topic = cluster.topic(1);
        try (KafkaProducer<String, String> producer = cluster.producer("linger.ms", "0")) {
            for (long timestamp : new long[] {1_000, 5_000, 3_000}) {
                producer.send(new ProducerRecord<>(topic, 0, timestamp, "k", "v")).get();
            }
        }
        Checks.same(0L, offset(topic, OffsetSpec.earliest()));
        Checks.same(3L, offset(topic, OffsetSpec.latest()));
        Checks.same(1L, offset(topic, OffsetSpec.maxTimestamp()));
        Checks.same(1L, offset(topic, OffsetSpec.forTimestamp(2_000)));
        Checks.same(-1L, offset(topic, OffsetSpec.forTimestamp(6_000)));
        Checks.same(0L, offset(topic, OffsetSpec.earliestLocal()));
        Checks.same(-1L, offset(topic, OffsetSpec.latestTiered()));
    }

    private void deleteRecords() throws Exception {
        String topic = cluster.topic(1);
        TopicPartition partition = new TopicPartition(topic, 0);
        cluster.fill(topic, 1, 100);
        Checks.same(60L, admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(60)))
                .lowWatermarks().get(partition).get().lowWatermark());
        Checks.same(60L, offset(topic, OffsetSpec.earliest()));
        Checks.same(40, cluster.readAll(topic, 1, "read_committed").size());
        admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(-1))).all().get();
        Checks.same(100L, offset(topic, OffsetSpec.earliest()));
    }

    private void consumerGroups() throws Exception {
        String topic = cluster.topic(2);
        for (String protocol : List.of("classic", "consumer")) {
            String group = Cluster.unique("group");
            try (KafkaConsumer<String, String> consumer =
                    cluster.consumer("group.id", group, "group.protocol", protocol, "client.id", "it")) {
                consumer.subscribe(List.of(topic));
                Cluster.eventually("its assignment", () -> {
                    consumer.poll(Cluster.TICK);
                    return consumer.assignment().size() == 2;
                });
                ConsumerGroupDescription described =
                        admin.describeConsumerGroups(List.of(group)).describedGroups().get(group).get();
                Checks.same("STABLE", described.state().name());
                Checks.same(1, described.members().size());
                Checks.same("it", described.members().iterator().next().clientId());
                Checks.same(2, described.members().iterator().next().assignment().topicPartitions().size());
                Checks.same(protocol, described.type().name().toLowerCase());
                Checks.same(protocol.equals("classic") ? "range" : "uniform", described.partitionAssignor());
                Checks.require(admin.listConsumerGroups().all().get().stream().map(ConsumerGroupListing::groupId)
                        .anyMatch(group::equals), "It is not listed");
                Checks.fails(GroupNotEmptyException.class,
                        () -> admin.deleteConsumerGroups(List.of(group)).all().get());
                consumer.commitSync(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(0)));
            }
            Cluster.eventually("the group to be empty", () -> admin.describeConsumerGroups(List.of(group))
                    .describedGroups().get(group).get().state().name().equals("EMPTY"));
            admin.deleteConsumerGroups(List.of(group)).all().get();
            Checks.fails(GroupIdNotFoundException.class, () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        }
    }

    private void consumerGroupOffsets() throws Exception {
        String topic = cluster.topic(2);
        String group = Cluster.unique("group");
        TopicPartition zero = new TopicPartition(topic, 0);
        TopicPartition one = new TopicPartition(topic, 1);
        admin.alterConsumerGroupOffsets(group,
                Map.of(zero, new OffsetAndMetadata(3, "m"), one, new OffsetAndMetadata(4))).all().get();
        Map<TopicPartition, OffsetAndMetadata> offsets =
                admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        Checks.same(3L, offsets.get(zero).offset());
        Checks.same("m", offsets.get(zero).metadata());
        admin.deleteConsumerGroupOffsets(group, Set.of(zero)).all().get();
        Checks.same(Set.of(one), admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().keySet());
        admin.deleteConsumerGroups(List.of(group)).all().get();
    }

    private void removeMembers() throws Exception {
        String topic = cluster.topic(1);
        String group = Cluster.unique("group");
        try (KafkaConsumer<String, String> consumer = cluster.consumer("group.id", group, "group.instance.id", "one")) {
            consumer.subscribe(List.of(topic));
            Cluster.eventually("its assignment", () -> {
                consumer.poll(Cluster.TICK);
                return !consumer.assignment().isEmpty();
            });
        }
        Checks.same(1, admin.describeConsumerGroups(List.of(group)).all().get().get(group).members().size());
        admin.removeMembersFromConsumerGroup(group,
                new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("one")))).all().get();
        Checks.same(0, admin.describeConsumerGroups(List.of(group)).all().get().get(group).members().size());
    }

    private void logDirs() throws Exception {
        String topic = cluster.topic(2);
        cluster.fill(topic, 2, 100);
        int broker = admin.describeCluster().nodes().get().iterator().next().id();
        Map<String, LogDirDescription> folders = admin.describeLogDirs(List.of(broker)).allDescriptions().get().get(broker);
        Checks.same(1, folders.size());
        LogDirDescription folder = folders.values().iterator().next();
        Checks.require(folder.replicaInfos().get(new TopicPartition(topic, 1)).size() > 0, "The partition is empty");
        Checks.require(folder.totalBytes().getAsLong() > folder.usableBytes().getAsLong(), "The disk's sizes are wrong");
        TopicPartitionReplica replica = new TopicPartitionReplica(topic, 0, broker);
        Checks.same(folders.keySet().iterator().next(), admin.describeReplicaLogDirs(List.of(replica)).all().get()
                .get(replica).getCurrentReplicaLogDir());
    }

    private void electLeaders() throws Exception {
        TopicPartition partition = new TopicPartition(cluster.topic(1), 0);
        TopicPartition unknown = new TopicPartition(Cluster.unique("unknown"), 0);
        Map<TopicPartition, Optional<Throwable>> answers =
                admin.electLeaders(ElectionType.PREFERRED, Set.of(partition, unknown)).partitions().get();
        Checks.same(ElectionNotNeededException.class, answers.get(partition).orElseThrow().getClass());
        Checks.same(UnknownTopicOrPartitionException.class, answers.get(unknown).orElseThrow().getClass());
    }

    private void reassignments() throws Exception {
        TopicPartition partition = new TopicPartition(cluster.topic(1), 0);
        int broker = admin.describeCluster().nodes().get().iterator().next().id();
        Checks.same(Map.of(), admin.listPartitionReassignments().reassignments().get());
        admin.alterPartitionReassignments(
                Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(broker))))).all().get();
        Checks.fails(InvalidReplicaAssignmentException.class, () -> admin.alterPartitionReassignments(
                Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(broker + 1))))).all().get());
        Checks.fails(NoReassignmentInProgressException.class,
                () -> admin.alterPartitionReassignments(Map.of(partition, Optional.empty())).all().get());
    }

    private KafkaProducer<String, String> openTransaction(String id, String topic) throws Exception {
        KafkaProducer<String, String> producer = cluster.producer("transactional.id", id);
        producer.initTransactions();
        producer.beginTransaction();
        producer.send(new ProducerRecord<>(topic, 0, "k", "v")).get();
        return producer;
    }

    private void producersAndTransactions() throws Exception {
        String topic = cluster.topic(1);
        TopicPartition partition = new TopicPartition(topic, 0);
        String id = Cluster.unique("tx");
        try (KafkaProducer<String, String> producer = openTransaction(id, topic)) {
            ProducerState state = admin.describeProducers(List.of(partition)).all().get().get(partition)
                    .activeProducers().get(0);
            Checks.same(0L, state.currentTransactionStartOffset().orElse(-1));
            var described = admin.describeTransactions(List.of(id)).all().get().get(id);
            Checks.same(TransactionState.ONGOING, described.state());
            Checks.same(Set.of(partition), described.topicPartitions());
            Checks.require(admin.listTransactions().all().get().stream()
                    .anyMatch(each -> each.transactionalId().equals(id)), "It is not listed");
            producer.commitTransaction();
            Cluster.eventually("the transaction to be complete", () -> admin.describeTransactions(List.of(id)).all()
                    .get().get(id).state() == TransactionState.COMPLETE_COMMIT);
        }
    }

    private void abortTransaction() throws Exception {
        String topic = cluster.topic(1);
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaProducer<String, String> producer = openTransaction(Cluster.unique("tx"), topic)) {
            ProducerState state = admin.describeProducers(List.of(partition)).all().get().get(partition)
                    .activeProducers().get(0);
            admin.abortTransaction(new AbortTransactionSpec(partition, state.producerId(), (short) state.producerEpoch(),
                    state.coordinatorEpoch().orElse(0))).all().get();
            cluster.fill(topic, 1, 1);
            Checks.same(List.of("0"), Cluster.values(cluster.readAll(topic, 1, "read_committed")));
        }
    }

    private void fenceProducers() throws Exception {
        String topic = cluster.topic(1);
        String id = Cluster.unique("tx");
        try (KafkaProducer<String, String> producer = openTransaction(id, topic)) {
            admin.fenceProducers(List.of(id)).all().get();
            Checks.fails(org.apache.kafka.common.KafkaException.class, producer::commitTransaction);
        }
        Checks.same(0, cluster.readAll(topic, 1, "read_committed").size());
    }

    private void features() throws Exception {
        var features = admin.describeFeatures().featureMetadata().get().finalizedFeatures();
        Checks.same((short) 2, features.get("transaction.version").maxVersionLevel());
        Checks.same((short) 1, features.get("group.version").maxVersionLevel());
    }

    private void clientQuotas() throws Exception {
        ClientQuotaEntity entity = new ClientQuotaEntity(Map.of(ClientQuotaEntity.CLIENT_ID, Cluster.unique("slow")));
        ClientQuotaAlteration.Op set = new ClientQuotaAlteration.Op("producer_byte_rate", 1e6);
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(set)))).all().get();
        Checks.same(Map.of("producer_byte_rate", 1e6),
                admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get().get(entity));
        ClientQuotaAlteration.Op remove = new ClientQuotaAlteration.Op("producer_byte_rate", null);
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(remove)))).all().get();
        Checks.require(!admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get().containsKey(entity), "Kept");
    }

    private void scramCredentials() throws Exception {
        String user = Cluster.unique("user");
        ScramCredentialInfo info = new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096);
        admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion(user, info, "secret"))).all().get();
        Checks.same(List.of(info),
                admin.describeUserScramCredentials(List.of(user)).description(user).get().credentialInfos());
        admin.alterUserScramCredentials(List.of(
                new UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256))).all().get();
        Checks.require(!admin.describeUserScramCredentials().users().get().contains(user), "It is still there");
    }
}
