"""librdkafka's admin client: what each call answers, one line each. usage: confluent_admin.py BOOTSTRAP"""

import sys
import time
import warnings

import confluent_kafka
from confluent_kafka import (
    Consumer, ConsumerGroupTopicPartitions, ElectionType, IsolationLevel, Producer, TopicCollection, TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec,
)

bootstrap, = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": bootstrap})
checks = 0
# Old calls are calls all the same.
warnings.simplefilter("ignore", DeprecationWarning)


def say(what, call):
    """One call, and what it answers or raises."""
    global checks
    checks += 1
    try:
        said = call()
    except confluent_kafka.KafkaException as error:
        said = f"{error.args[0].name()}: {error.args[0].str()}"
    print(f"{what} | {said}")


def each(futures, show=lambda result: result):
    """Each future of many, and what became of it."""
    def result(future):
        try:
            return show(future.result(30))
        except confluent_kafka.KafkaException as error:
            return f"{error.args[0].name()}: {error.args[0].str()}"
    return sorted(f"{key}: {result(future)}" for key, future in futures.items())


def topic(name, partitions=1, **config):
    return NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)


def config(resource):
    entries = next(iter(admin.describe_configs([resource]).values())).result(30)
    keys = ["retention.ms", "cleanup.policy"] if resource.restype == ConfigResource.Type.TOPIC else ["num.partitions"]
    return [(key, entries[key].value, entries[key].source, entries[key].is_read_only) for key in keys]


def describe(names):
    futures = admin.describe_topics(TopicCollection(names), include_authorized_operations=True)
    def show(described):
        partitions = [(p.id, p.leader.id, len(p.replicas), len(p.isr)) for p in described.partitions]
        return described.name, described.is_internal, partitions, sorted(o.name for o in described.authorized_operations)
    return each(futures, show)


def cluster():
    described = admin.describe_cluster(include_authorized_operations=True).result(30)
    return described.controller.id, len(described.nodes), sorted(o.name for o in described.authorized_operations)


def offsets(spec):
    partition = TopicPartition("rdkafka", 0)
    futures = admin.list_offsets({partition: spec}, isolation_level=IsolationLevel.READ_UNCOMMITTED)
    return each({"rdkafka-0": next(iter(futures.values()))}, lambda found: (found.offset, found.timestamp, found.leader_epoch))


def produce():
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    for n in range(10):
        producer.produce("rdkafka", partition=0, value=f"value-{n}", timestamp=1_700_000_000_000 + n)
    return producer.flush(30)


def delete_records(offset):
    futures = admin.delete_records([TopicPartition("rdkafka", 0, offset)])
    return each({"rdkafka-0": next(iter(futures.values()))}, lambda deleted: deleted.low_watermark)


def elect(kind, partitions):
    elected = admin.elect_leaders(kind, partitions).result(30)
    return sorted(f"{p.topic}-{p.partition}: {error.str() if error else None}" for p, error in elected.items())


def change(resource, entries):
    entries = [ConfigEntry(name, value, incremental_operation=getattr(AlterConfigOpType, kind)) for name, value, kind in entries]
    return each(admin.incremental_alter_configs([ConfigResource(*resource, incremental_configs=entries)]))


def commit(group, offset):
    """Without joining: the group has offsets and no members. Its coordinator may be just coming into being."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    for _ in range(600):
        try:
            committed = consumer.commit(offsets=[TopicPartition("rdkafka", 0, offset)], asynchronous=False)
            return [(p.topic, p.partition, p.offset) for p in committed]
        except confluent_kafka.KafkaException as error:
            if not error.args[0].retriable() and "COORDINATOR" not in error.args[0].name():
                raise
            time.sleep(0.1)


def groups(**options):
    listed = admin.list_consumer_groups(**options).result(30)
    return sorted((g.group_id, g.is_simple_consumer_group, g.state.name, g.type.name) for g in listed.valid), listed.errors


def all_groups():
    return sorted((g.id, g.protocol_type, g.state, g.protocol, len(g.members)) for g in admin.list_groups(timeout=30))


def describe_groups(names):
    def show(g):
        operations = sorted(o.name for o in g.authorized_operations)
        return g.group_id, g.is_simple_consumer_group, g.partition_assignor, g.state.name, g.type.name, len(g.members), operations
    return each(admin.describe_consumer_groups(names, include_authorized_operations=True), show)


def shown_offsets(answer):
    return answer.group_id, [(p.topic, p.partition, p.offset, p.metadata, p.error and p.error.name()) for p in answer.topic_partitions]


def committed(group, partitions=None):
    return each(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, partitions)]), shown_offsets)


def alter_offsets(group, *partitions):
    return each(admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, list(partitions))]), shown_offsets)


def of_groups():
    say("commit", lambda: commit("of-rdkafka", 7))
    say("list_consumer_groups", groups)
    say("list_consumer_groups by state", lambda: groups(states={confluent_kafka.ConsumerGroupState.STABLE}))
    say("list_consumer_groups by type", lambda: groups(types={confluent_kafka.ConsumerGroupType.CONSUMER}))
    say("list_groups", all_groups)
    say("describe_consumer_groups", lambda: describe_groups(["of-rdkafka", "no-such"]))
    say("list_consumer_group_offsets", lambda: committed("of-rdkafka"))
    asked = [TopicPartition("rdkafka", 0), TopicPartition("rdkafka", 2)]
    say("list_consumer_group_offsets of partitions", lambda: committed("of-rdkafka", asked))
    say("alter_consumer_group_offsets", lambda: alter_offsets("of-rdkafka", TopicPartition("rdkafka", 0, 3)))
    say("alter_consumer_group_offsets of no topic", lambda: alter_offsets("of-rdkafka", TopicPartition("no-such", 0, 3)))
    say("list_consumer_group_offsets afterwards", lambda: committed("of-rdkafka"))
    say("delete_consumer_groups", lambda: each(admin.delete_consumer_groups(["of-rdkafka", "no-such"])))


def of_configs():
    topic, broker = (ConfigResource.Type.TOPIC, "rdkafka"), (ConfigResource.Type.BROKER, "1")
    say("incremental_alter_configs", lambda: change(topic, [("retention.ms", "5000", "SET"), ("cleanup.policy", "compact", "APPEND")]))
    say("describe_configs afterwards", lambda: config(ConfigResource(*topic)))
    say("incremental_alter_configs back", lambda: change(topic, [("retention.ms", None, "DELETE"), ("cleanup.policy", "compact", "SUBTRACT")]))
    say("incremental_alter_configs bad value", lambda: change(topic, [("retention.ms", "soon", "SET")]))
    say("incremental_alter_configs bad key", lambda: change(topic, [("no.such", "1", "SET")]))
    say("incremental_alter_configs of a broker", lambda: change(broker, [("num.partitions", "2", "SET")]))
    say("incremental_alter_configs of no topic", lambda: change((ConfigResource.Type.TOPIC, "no-such"), [("retention.ms", "1", "SET")]))
    say("alter_configs", lambda: each(admin.alter_configs([ConfigResource(*topic, set_config={"retention.ms": "6000"})])))
    say("describe_configs at last", lambda: config(ConfigResource(*topic)))


def main():
    # Each cluster has its own id, of 22 letters.
    say("cluster_id", lambda: len(admin.cluster_id(timeout=30)))
    say("create_topics", lambda: each(admin.create_topics([topic("rdkafka", 2, **{"retention.ms": "-1"})])))
    say("create_topics refused", lambda: each(admin.create_topics([topic("rdkafka"), topic("a b"), topic("zero", 0)])))
    say("create_topics validated", lambda: each(admin.create_topics([topic("never")], validate_only=True)))
    say("list_topics", lambda: sorted(name for name in admin.list_topics(timeout=30).topics if "rdkafka" in name))
    say("describe_topics", lambda: describe(["rdkafka", "no-such"]))
    say("create_partitions", lambda: each(admin.create_partitions([NewPartitions("rdkafka", 3)])))
    say("create_partitions refused", lambda: each(admin.create_partitions([NewPartitions("rdkafka", 1)])))
    say("produce", produce)
    for name, spec in [("earliest", OffsetSpec.earliest()), ("latest", OffsetSpec.latest()),
                       ("max timestamp", OffsetSpec.max_timestamp()), ("by time", OffsetSpec.for_timestamp(1_700_000_000_005))]:
        say(f"list_offsets {name}", lambda spec=spec: offsets(spec))
    say("delete_records", lambda: delete_records(4))
    say("delete_records behind the end", lambda: delete_records(400))
    say("describe_configs of a topic", lambda: config(ConfigResource(ConfigResource.Type.TOPIC, "rdkafka")))
    say("describe_configs of a broker", lambda: config(ConfigResource(ConfigResource.Type.BROKER, "1")))
    say("describe_configs unknown", lambda: config(ConfigResource(ConfigResource.Type.TOPIC, "no-such")))
    of_configs()
    of_groups()
    # The client's message ends in a byte that is none of it.
    say("describe_user_scram_credentials", lambda: [
        said.partition(" Attempt")[0] for said in each(admin.describe_user_scram_credentials(["nobody"]))])
    say("describe_cluster", cluster)
    say("elect_leaders", lambda: elect(ElectionType.PREFERRED, [TopicPartition("rdkafka", 0), TopicPartition("no-such", 0)]))
    say("elect_leaders all", lambda: elect(ElectionType.UNCLEAN, None))
    say("delete_topics", lambda: each(admin.delete_topics(["rdkafka", "no-such"], operation_timeout=30)))
    print(f"OK confluent-kafka {confluent_kafka.__version__} checks={checks}")


main()
