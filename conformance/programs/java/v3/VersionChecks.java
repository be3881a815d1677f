import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.common.config.ConfigResource;

/** What only clients before 4.0 have. */
final class VersionChecks {
    private final Cluster cluster;

    VersionChecks(Cluster cluster) {
        this.cluster = cluster;
    }

    void addTo(Checks checks) {
        checks.add("admin_alter_configs_replaces", this::alterConfigsReplaces);
    }

    @SuppressWarnings("deprecation")
    private void alterConfigsReplaces() throws Exception {
        String topic = cluster.topic(1, Map.of("retention.ms", "60000"));
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Config replacement = new Config(List.of(new ConfigEntry("segment.bytes", "2000000")));
        cluster.admin.alterConfigs(Map.of(resource, replacement)).all().get();
        Config config = cluster.admin.describeConfigs(List.of(resource)).all().get().get(resource);
        Checks.same("2000000", config.get("segment.bytes").value());
        Checks.same(ConfigEntry.ConfigSource.DEFAULT_CONFIG, config.get("retention.ms").source());
    }
}
