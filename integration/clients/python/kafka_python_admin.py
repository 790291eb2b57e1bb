"""kafka-python's admin client: what each call answers, one line each. usage: kafka_python_admin.py BOOTSTRAP LOG_DIR"""

import sys

import kafka
from kafka import KafkaProducer, TopicPartition, TopicPartitionReplica
from kafka.admin import (
    ConfigResource, ConfigResourceType, KafkaAdminClient, MemberToRemove, NewPartitions, NewTopic, OffsetSpec, OffsetTimestamp,
)
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

bootstrap, log_dir = sys.argv[1:]
admin = KafkaAdminClient(bootstrap_servers=bootstrap)
checks = 0


def say(what, call):
    """One call, and what it answers or raises."""
    global checks
    checks += 1
    try:
        said = call()
    except KafkaError as error:
        said = f"{type(error).__name__}"
    except ValueError as error:
        said = f"refused by the client: {error}"
    print(f"{what} | {said}")


def topic(name, partitions=1):
    return NewTopic(name, num_partitions=partitions, replication_factor=1)


def produce():
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    for n in range(10):
        producer.send("kafka-python", value=b"value", partition=0, timestamp_ms=1_700_000_000_000 + n).get(30)
    producer.close()


def partitions(described):
    return [[(p["partition_index"], p["leader_id"], p["replica_nodes"], p["isr_nodes"]) for p in topic["partitions"]]
            for topic in described]


def by_name(errors):
    """Of each key the name of what went wrong, NoError for nothing."""
    return sorted((str(key), getattr(error, "__name__", str(error))) for key, error in errors.items())


def of_groups():
    group, first = "of-kafka-python", TopicPartition("kafka-python", 0)
    say("alter_group_offsets", lambda: by_name(admin.alter_group_offsets(group, {first: OffsetAndMetadata(5, "noted", -1)})))
    say("list_group_offsets", lambda: admin.list_group_offsets({group: None}))
    say("list_group_offsets of partitions", lambda: admin.list_group_offsets({group: [TopicPartition("kafka-python", 1)]}))
    say("list_groups", lambda: sorted((g["group_id"], g["protocol_type"], g["group_state"]) for g in admin.list_groups()))
    say("list_groups stable", lambda: admin.list_groups(states_filter=["Stable"]))
    say("describe_groups", lambda: [(g["group_state"], g["protocol_type"], g["members"]) for g in admin.describe_groups([group]).values()])
    say("reset_group_offsets", lambda: by_name(admin.reset_group_offsets(group, {first: OffsetSpec.LATEST})) and None)
    say("reset_group_offsets by time", lambda: by_name(admin.reset_group_offsets(group, {first: OffsetTimestamp(1_700_000_000_006)})) and None)
    say("list_group_offsets afterwards", lambda: admin.list_group_offsets({group: None}))
    say("remove_group_members", lambda: by_name(admin.remove_group_members(group, [MemberToRemove(member_id="nobody")])))
    say("delete_group_offsets", lambda: by_name(admin.delete_group_offsets(group, [first])))
    say("delete_groups", lambda: by_name(dict(admin.delete_groups([group, "no-such"]).items())))


def of_configs():
    def resource(configs=None, kind=ConfigResourceType.TOPIC, name="kafka-python"):
        return [ConfigResource(kind, name, configs)]
    say("alter_configs", lambda: admin.alter_configs(resource({"retention.ms": "5000", "cleanup.policy": ("APPEND", "compact")})))
    say("alter_configs validated", lambda: admin.alter_configs(resource({"retention.ms": "1"}), validate_only=True))
    say("alter_configs bad value", lambda: admin.alter_configs(resource({"retention.ms": "soon"})))
    say("alter_configs whole", lambda: admin.alter_configs(resource({"retention.ms": "6000"}), incremental=False))
    say("reset_configs", lambda: admin.reset_configs(resource(["retention.ms"])))
    say("alter_configs of a logger", lambda: admin.alter_configs(resource({"root": "INFO"}, ConfigResourceType.BROKER_LOGGER, "1")))
    say("list_config_resources", lambda: sorted(admin.list_config_resources(["BROKER", "BROKER_LOGGER"]).items()))


def offsets_by_spec():
    specs = [OffsetSpec.EARLIEST, OffsetSpec.LATEST, OffsetSpec.MAX_TIMESTAMP, 1_700_000_000_005]
    found = [admin.list_partition_offsets({TopicPartition("kafka-python", 0): spec}) for spec in specs]
    return [(offset.offset, offset.timestamp) for answer in found for offset in answer.values()]


def topic_partitions():
    topics = admin.describe_topic_partitions(["kafka-python"], response_partition_limit=2)
    return [(t["name"], t["is_internal"], len(t["partitions"])) for t in topics["topics"]], topics["next_cursor"]


def main():
    say("create_topics", lambda: admin.create_topics([topic("kafka-python", 2)]) and None)
    say("create_topics exists", lambda: admin.create_topics([topic("kafka-python")]) and None)
    say("create_topics bad name", lambda: admin.create_topics([topic("a b")]) and None)
    say("list_topics", lambda: "kafka-python" in admin.list_topics())
    say("describe_topics", lambda: partitions(admin.describe_topics(["kafka-python"])))
    say("create_partitions", lambda: admin.create_partitions({"kafka-python": NewPartitions(3)}) and None)
    say("create_partitions fewer", lambda: admin.create_partitions({"kafka-python": NewPartitions(1)}) and None)
    say("produce", produce)
    say("delete_records", lambda: admin.delete_records({TopicPartition("kafka-python", 0): 4}))
    say("delete_records behind the end", lambda: admin.delete_records({TopicPartition("kafka-python", 0): 400}))
    say("wait_for_topics", lambda: admin.wait_for_topics(["kafka-python"], timeout_ms=60_000) and None)
    say("list_partition_offsets", offsets_by_spec)
    say("describe_topic_partitions", topic_partitions)
    say("get_broker_version_data", lambda: bool(admin.get_broker_version_data(1)))
    of_configs()
    of_groups()
    say("describe_user_scram_credentials", lambda: admin.describe_user_scram_credentials(["nobody"]))
    say("update_features", lambda: admin.update_features({"no.such.feature": 1}))
    replica = TopicPartitionReplica("kafka-python", 0, 1)
    say("alter_replica_log_dirs", lambda: by_name(admin.alter_replica_log_dirs({replica: log_dir})))
    say("alter_replica_log_dirs to nowhere", lambda: by_name(admin.alter_replica_log_dirs({replica: "/no/such"})))
    say("describe_configs", lambda: bool(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "kafka-python")])))
    say("describe_cluster", lambda: len(admin.describe_cluster()["brokers"]))
    say("describe_log_dirs", lambda: bool(admin.describe_log_dirs()))
    say("describe_metadata_quorum", lambda: bool(admin.describe_metadata_quorum()))
    say("describe_features", lambda: bool(admin.describe_features()))
    say("elect_leaders", lambda: bool(admin.elect_leaders(0, {"kafka-python": [0]}, raise_errors=False)))
    say("alter_partition_reassignments", lambda: admin.alter_partition_reassignments({TopicPartition("kafka-python", 0): [1]}))
    say("list_partition_reassignments", admin.list_partition_reassignments)
    say("describe_producers", lambda: bool(admin.describe_producers([TopicPartition("kafka-python", 0)])))
    say("delete_topics", lambda: admin.delete_topics(["kafka-python"]) and None)
    say("delete_topics unknown", lambda: admin.delete_topics(["no-such"]) and None)
    print(f"OK kafka-python {kafka.__version__} checks={checks}")


main()
