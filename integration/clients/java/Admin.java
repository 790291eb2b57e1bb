// Kafka's own AdminClient: every method that needs neither security, groups nor transactions, and what each answers, one line each.
// Two brokers that behave alike make it print the same lines.
//
//   java -cp "KAFKA/libs/*" integration/clients/java/Admin.java BOOTSTRAP LOG_DIR OTHER_LOG_DIR

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;

import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.quota.ClientQuotaFilterComponent;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Admin {
    static final TopicPartition ZERO = new TopicPartition("java", 0);
    static final TopicPartition UNKNOWN = new TopicPartition("no-such", 0);
    static int checks = 0;

    /// One method, and what it answers or throws.
    static void say(String method, Callable<Object> call) {
        String said;
        try {
            said = String.valueOf(call.call());
        } catch (ExecutionException error) {
            Throwable cause = error.getCause();
            said = cause.getClass().getSimpleName() + ": " + cause.getMessage();
        } catch (Exception error) {
            said = error.getClass().getSimpleName() + ": " + error.getMessage();
        }
        checks++;
        System.out.println(method + " | " + said);
    }

    /// Each future of many, and what became of it.
    static <K> Object each(Map<K, ? extends KafkaFuture<?>> futures) throws Exception {
        Map<String, String> said = new TreeMap<>();
        for (var entry : futures.entrySet()) {
            try {
                said.put(entry.getKey().toString(), String.valueOf(entry.getValue().get()));
            } catch (ExecutionException error) {
                said.put(entry.getKey().toString(), error.getCause().getClass().getSimpleName() + ": " + error.getCause().getMessage());
            }
        }
        return said;
    }

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0], here = arguments[1], there = arguments[2];
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("default.api.timeout.ms", "30000");
        try (AdminClient admin = AdminClient.create(properties)) {
            topics(admin);
            produce(bootstrap);
            records(admin);
            configs(admin);
            alterations(admin);
            quotas(admin);
            cluster(admin);
            partitions(admin);
            logDirs(admin, here, there);
            say("deleteTopics", () -> each(admin.deleteTopics(List.of("java", "no-such")).topicNameValues()));
            say("deleteTopics by id", () -> {
                var id = admin.describeTopics(List.of("java-by-id")).topicNameValues().get("java-by-id").get().topicId();
                admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get();
                return "gone";
            });
        }
        System.out.println("OK java " + org.apache.kafka.common.utils.AppInfoParser.getVersion() + " checks=" + checks);
    }

    static NewTopic topic(String name, int partitions) {
        return new NewTopic(name, partitions, (short) 1);
    }

    static void topics(AdminClient admin) {
        say("createTopics", () -> {
            var result = admin.createTopics(List.of(topic("java", 2).configs(Map.of("retention.ms", "-1")), topic("java-by-id", 1)));
            result.all().get();
            return result.numPartitions("java").get() + " " + result.replicationFactor("java").get() + " "
                + result.config("java").get().get("retention.ms").value() + " " + result.config("java").get().get("retention.ms").source();
        });
        say("createTopics defaults", () -> {
            var result = admin.createTopics(List.of(new NewTopic("java-defaults", Optional.empty(), Optional.empty())));
            return result.numPartitions("java-defaults").get() + " " + result.replicationFactor("java-defaults").get();
        });
        say("createTopics refused", () -> each(admin.createTopics(List.of(topic("java", 1), topic("a b", 1), topic("none", 0),
            new NewTopic("two", 1, (short) 2), topic("bad", 1).configs(Map.of("retention.ms", "soon")))).values()));
        say("createTopics validated", () -> each(admin.createTopics(List.of(topic("never", 1)), new CreateTopicsOptions().validateOnly(true)).values()));
        say("listTopics", () -> {
            // Kafka answers a creation before its own metadata has the topic.
            var names = admin.listTopics().names().get();
            while (!names.contains("java-defaults")) {
                names = admin.listTopics().names().get();
            }
            return new TreeSet<>(names);
        });
        say("listTopics internal", () -> new TreeSet<>(admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get()));
        say("describeTopics", () -> {
            var described = admin.describeTopics(List.of("java"), new DescribeTopicsOptions().includeAuthorizedOperations(true)).allTopicNames().get().get("java");
            var partitions = new ArrayList<String>();
            described.partitions().forEach(p -> partitions.add(p.partition() + " " + p.leader().id() + " " + p.replicas().size() + " " + p.isr().size() + " " + p.elr() + " " + p.lastKnownElr()));
            return described.name() + " " + described.isInternal() + " " + partitions + " " + new TreeSet<>(described.authorizedOperations());
        });
        say("describeTopics unknown", () -> each(admin.describeTopics(List.of("no-such")).topicNameValues()));
        say("describeTopics by id", () -> {
            var id = admin.describeTopics(List.of("java")).topicNameValues().get("java").get().topicId();
            return admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).topicIdValues().get(id).get().name();
        });
        say("createPartitions", () -> each(admin.createPartitions(Map.of("java", NewPartitions.increaseTo(3))).values()));
        say("createPartitions refused", () -> each(admin.createPartitions(Map.of("java", NewPartitions.increaseTo(1), "no-such", NewPartitions.increaseTo(2))).values()));
    }

    static void produce(String bootstrap) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        try (var producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (int n = 0; n < 10; n++) {
                producer.send(new ProducerRecord<>("java", 0, 1_700_000_000_000L + n, null, ("value-" + n).getBytes())).get();
            }
        }
    }

    static void records(AdminClient admin) {
        say("listOffsets", () -> {
            var found = new TreeMap<String, String>();
            for (var spec : List.of(OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.maxTimestamp(), OffsetSpec.forTimestamp(1_700_000_000_004L),
                    OffsetSpec.earliestLocal(), OffsetSpec.latestTiered())) {
                var info = admin.listOffsets(Map.of(ZERO, spec)).partitionResult(ZERO).get();
                found.put(spec.getClass().getSimpleName(), info.offset() + " " + info.timestamp() + " " + info.leaderEpoch());
            }
            return found;
        });
        say("listOffsets unknown", () -> admin.listOffsets(Map.of(UNKNOWN, OffsetSpec.latest()), new ListOffsetsOptions().timeoutMs(1500)).partitionResult(UNKNOWN).get());
        say("deleteRecords", () -> admin.deleteRecords(Map.of(ZERO, RecordsToDelete.beforeOffset(4))).lowWatermarks().get(ZERO).get().lowWatermark());
        say("deleteRecords behind the end", () -> admin.deleteRecords(Map.of(ZERO, RecordsToDelete.beforeOffset(400))).lowWatermarks().get(ZERO).get());
        say("describeProducers", () -> {
            var said = new ArrayList<String>();
            for (var state : admin.describeProducers(List.of(ZERO)).partitionResult(ZERO).get().activeProducers()) {
                said.add(state.producerEpoch() + " " + state.lastSequence() + " " + state.lastTimestamp() + " " + state.currentTransactionStartOffset());
            }
            return said;
        });
    }

    static void configs(AdminClient admin) {
        say("describeConfigs of a topic", () -> {
            var resource = new ConfigResource(ConfigResource.Type.TOPIC, "java");
            var config = admin.describeConfigs(List.of(resource), new DescribeConfigsOptions().includeSynonyms(true)).values().get(resource).get();
            var said = new ArrayList<String>();
            for (String key : List.of("retention.ms", "cleanup.policy", "segment.bytes", "compression.type")) {
                var entry = config.get(key);
                said.add(key + "=" + entry.value() + " " + entry.source() + " " + entry.type() + " " + entry.isReadOnly() + " " + entry.synonyms());
            }
            return said;
        });
        say("describeConfigs of a broker", () -> {
            var resource = new ConfigResource(ConfigResource.Type.BROKER, "1");
            var config = admin.describeConfigs(List.of(resource)).values().get(resource).get();
            return config.get("num.partitions").value() + " " + config.get("log.segment.bytes").source() + " " + config.get("node.id").isReadOnly();
        });
        say("describeConfigs unknown", () -> {
            var resource = new ConfigResource(ConfigResource.Type.TOPIC, "no-such");
            return admin.describeConfigs(List.of(resource)).values().get(resource).get();
        });
    }

    static AlterConfigOp op(String key, String value, AlterConfigOp.OpType type) {
        return new AlterConfigOp(new ConfigEntry(key, value), type);
    }

    /// Kafka answers a change before its own metadata has it: what is shown once it is as it will be.
    static Object settled(Callable<Object> look, String shown) throws Exception {
        long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        Object seen = look.call();
        while (!seen.toString().contains(shown) && System.nanoTime() < deadline) {
            seen = look.call();
        }
        return seen;
    }

    /// What the keys that somebody has set are then.
    static Object set(AdminClient admin, ConfigResource resource) throws Exception {
        var said = new TreeSet<String>();
        for (var entry : admin.describeConfigs(List.of(resource)).values().get(resource).get().entries()) {
            if (!entry.isDefault() && entry.source() != ConfigEntry.ConfigSource.STATIC_BROKER_CONFIG) {
                said.add(entry.name() + "=" + entry.value() + " " + entry.source());
            }
        }
        return said;
    }

    static void alterations(AdminClient admin) {
        var topic = new ConfigResource(ConfigResource.Type.TOPIC, "java");
        var broker = new ConfigResource(ConfigResource.Type.BROKER, "1");
        var brokers = new ConfigResource(ConfigResource.Type.BROKER, "");
        var group = new ConfigResource(ConfigResource.Type.GROUP, "java-group");
        var metrics = new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "java-metrics");
        Map<ConfigResource, Collection<AlterConfigOp>> changes = Map.of(
            topic, List.of(op("max.message.bytes", "7000", AlterConfigOp.OpType.SET), op("cleanup.policy", "compact,delete", AlterConfigOp.OpType.APPEND)),
            broker, List.of(op("log.cleaner.backoff.ms", "16000", AlterConfigOp.OpType.SET)),
            brokers, List.of(op("max.connections.per.ip", "1000", AlterConfigOp.OpType.SET)),
            group, List.of(op("consumer.session.timeout.ms", "50000", AlterConfigOp.OpType.SET)),
            metrics, List.of(op("interval.ms", "1000", AlterConfigOp.OpType.SET), op("match", "client_id=a.*", AlterConfigOp.OpType.SET)));
        say("incrementalAlterConfigs validated", () -> each(admin.incrementalAlterConfigs(changes, new AlterConfigsOptions().validateOnly(true)).values()));
        say("incrementalAlterConfigs", () -> each(admin.incrementalAlterConfigs(changes).values()));
        for (var shown : Map.of(topic, "=7000", broker, "=16000", brokers, "=1000", group, "=50000", metrics, "=1000").entrySet()) {
            say("describeConfigs after it " + shown.getKey(), () -> settled(() -> set(admin, shown.getKey()), shown.getValue()));
        }
        say("incrementalAlterConfigs refused", () -> each(admin.incrementalAlterConfigs(Map.of(
            topic, List.of(op("retention.ms", "soon", AlterConfigOp.OpType.SET)),
            broker, List.of(op("node.id", "3", AlterConfigOp.OpType.SET)),
            group, List.of(op("consumer.session.timeout.ms", "1", AlterConfigOp.OpType.SET)),
            metrics, List.of(op("interval.ms", "1", AlterConfigOp.OpType.SET)))).values()));
        for (var type : List.of(ConfigResource.Type.TOPIC, ConfigResource.Type.BROKER, ConfigResource.Type.GROUP, ConfigResource.Type.CLIENT_METRICS)) {
            say("listConfigResources " + type, () -> admin.listConfigResources(Set.of(type), new ListConfigResourcesOptions()).all().get().stream()
                .map(ConfigResource::name).filter(name -> type != ConfigResource.Type.TOPIC || name.startsWith("java")).sorted().toList());
        }
        say("incrementalAlterConfigs taken back", () -> each(admin.incrementalAlterConfigs(Map.of(
            topic, List.of(op("max.message.bytes", null, AlterConfigOp.OpType.DELETE), op("cleanup.policy", null, AlterConfigOp.OpType.DELETE)),
            broker, List.of(op("log.cleaner.backoff.ms", null, AlterConfigOp.OpType.DELETE)),
            brokers, List.of(op("max.connections.per.ip", null, AlterConfigOp.OpType.DELETE)),
            group, List.of(op("consumer.session.timeout.ms", null, AlterConfigOp.OpType.DELETE)),
            metrics, List.of(op("interval.ms", null, AlterConfigOp.OpType.DELETE), op("match", null, AlterConfigOp.OpType.DELETE)))).values()));
    }

    static ClientQuotaEntity entity(String... parts) {
        var entries = new TreeMap<String, String>();
        for (int n = 0; n < parts.length; n += 2) {
            entries.put(parts[n], parts[n + 1]);
        }
        return new ClientQuotaEntity(entries);
    }

    static Object described(AdminClient admin, ClientQuotaFilter filter) throws Exception {
        var said = new TreeSet<String>();
        admin.describeClientQuotas(filter).entities().get().forEach((entity, quotas) -> said.add(new TreeMap<>(entity.entries()) + " " + new TreeMap<>(quotas)));
        return said;
    }

    static void quotas(AdminClient admin) {
        var rate = List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e9));
        var entities = List.of(entity("user", "nobody"), entity("client-id", "no-client"), entity("user", "nobody", "client-id", null));
        say("alterClientQuotas", () -> each(admin.alterClientQuotas(entities.stream().map(entity -> new ClientQuotaAlteration(entity, rate)).toList()).values()));
        say("alterClientQuotas of an address", () -> each(admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity("ip", "10.9.8.7"),
            List.of(new ClientQuotaAlteration.Op("connection_creation_rate", 50.0))))).values()));
        say("alterClientQuotas refused", () -> each(admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity("ip", "10.9.8.7"), rate),
            new ClientQuotaAlteration(entity("user", "nobody"), List.of(new ClientQuotaAlteration.Op("request_percentage", -1.0))))).values()));
        say("alterClientQuotas validated", () -> each(admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity("user", "never"), rate)),
            new AlterClientQuotasOptions().validateOnly(true)).values()));
        say("describeClientQuotas", () -> settled(() -> described(admin, ClientQuotaFilter.all()), "10.9.8.7"));
        say("describeClientQuotas of users", () -> described(admin, ClientQuotaFilter.contains(List.of(ClientQuotaFilterComponent.ofEntityType("user")))));
        say("describeClientQuotas of users only", () -> described(admin, ClientQuotaFilter.containsOnly(List.of(ClientQuotaFilterComponent.ofEntity("user", "nobody")))));
        say("describeClientQuotas of the default", () -> described(admin, ClientQuotaFilter.contains(List.of(ClientQuotaFilterComponent.ofDefaultEntity("client-id")))));
        say("describeUserScramCredentials", () -> admin.describeUserScramCredentials().users().get());
        say("describeUserScramCredentials unknown", () -> admin.describeUserScramCredentials(List.of("nobody")).description("nobody").get());
        var none = List.of(new ClientQuotaAlteration.Op("producer_byte_rate", null));
        say("alterClientQuotas taken back", () -> each(admin.alterClientQuotas(entities.stream().map(entity -> new ClientQuotaAlteration(entity, none)).toList()).values()));
        say("describeClientQuotas of what is left", () -> settled(() -> described(admin, ClientQuotaFilter.all()), "[{ip"));
    }

    static void cluster(AdminClient admin) {
        say("describeCluster", () -> {
            var cluster = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true));
            return cluster.nodes().get().size() + " " + cluster.controller().get().id() + " " + new TreeSet<>(cluster.authorizedOperations().get());
        });
        say("describeCluster fenced", () -> admin.describeCluster(new DescribeClusterOptions().includeFencedBrokers(true)).nodes().get().size());
        say("describeFeatures", () -> new TreeMap<>(admin.describeFeatures().featureMetadata().get().finalizedFeatures()));
        say("updateFeatures", () -> each(admin.updateFeatures(Map.of("share.version", new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.UPGRADE)), new UpdateFeaturesOptions()).values()));
        say("updateFeatures refused", () -> each(admin.updateFeatures(Map.of("share.version", new FeatureUpdate((short) 9, FeatureUpdate.UpgradeType.UPGRADE)), new UpdateFeaturesOptions()).values()));
        say("updateFeatures validated", () -> each(admin.updateFeatures(Map.of("share.version", new FeatureUpdate((short) 0, FeatureUpdate.UpgradeType.SAFE_DOWNGRADE)), new UpdateFeaturesOptions().validateOnly(true)).values()));
        say("describeMetadataQuorum", () -> {
            var quorum = admin.describeMetadataQuorum().quorumInfo().get();
            return quorum.leaderId() + " " + quorum.voters().size() + " " + quorum.observers().size() + " " + quorum.voters().get(0).replicaDirectoryId();
        });
        say("unregisterBroker unknown", () -> admin.unregisterBroker(77).all().get());
        say("metrics", () -> !admin.metrics().isEmpty());
    }

    static void partitions(AdminClient admin) {
        say("electLeaders preferred", () -> admin.electLeaders(ElectionType.PREFERRED, Set.of(ZERO, UNKNOWN)).partitions().get().entrySet().stream().map(Object::toString).sorted().toList());
        say("electLeaders unclean", () -> admin.electLeaders(ElectionType.UNCLEAN, Set.of(ZERO)).partitions().get());
        say("electLeaders all", () -> admin.electLeaders(ElectionType.PREFERRED, null).partitions().get());
        say("alterPartitionReassignments", () -> each(admin.alterPartitionReassignments(Map.of(
            ZERO, Optional.of(new NewPartitionReassignment(List.of(1))), UNKNOWN, Optional.of(new NewPartitionReassignment(List.of(1))),
            new TopicPartition("java", 1), Optional.of(new NewPartitionReassignment(List.of(9))), new TopicPartition("java", 2), Optional.empty())).values()));
        say("listPartitionReassignments", () -> admin.listPartitionReassignments().reassignments().get());
        say("listPartitionReassignments some", () -> admin.listPartitionReassignments(Set.of(ZERO)).reassignments().get());
    }

    static void logDirs(AdminClient admin, String here, String there) {
        var replica = new TopicPartitionReplica("java", 0, 1);
        say("describeLogDirs", () -> {
            var said = new TreeMap<String, String>();
            admin.describeLogDirs(List.of(1)).descriptions().get(1).get().forEach((path, described) ->
                said.put(path, described.error() + " " + described.totalBytes().isPresent() + " " + described.usableBytes().isPresent()));
            return said;
        });
        for (String path : List.of(here, there)) {
            say("alterReplicaLogDirs", () -> each(admin.alterReplicaLogDirs(Map.of(replica, path)).values()));
            say("the replica is there", () -> {
                long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
                while (true) {
                    var info = admin.describeReplicaLogDirs(List.of(replica)).values().get(replica).get();
                    if (path.equals(info.getCurrentReplicaLogDir()) && info.getFutureReplicaLogDir() == null) {
                        var described = admin.describeLogDirs(List.of(1)).descriptions().get(1).get().get(path).replicaInfos().get(ZERO);
                        return info.getCurrentReplicaLogDir() + " " + info.getCurrentReplicaOffsetLag() + " "
                            + described.offsetLag() + " " + described.isFuture() + " " + (described.size() > 0);
                    }
                    if (System.nanoTime() > deadline) {
                        return "still " + info;
                    }
                }
            });
        }
        say("alterReplicaLogDirs unknown directory", () -> each(admin.alterReplicaLogDirs(Map.of(replica, "/no/such")).values()));
        say("alterReplicaLogDirs unknown partition", () -> each(admin.alterReplicaLogDirs(Map.of(new TopicPartitionReplica("no-such", 0, 1), here)).values()));
        say("describeReplicaLogDirs unknown", () -> each(admin.describeReplicaLogDirs(List.of(new TopicPartitionReplica("no-such", 0, 1))).values()));
    }
}
