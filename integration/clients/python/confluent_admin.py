"""librdkafka's admin client: what each call answers, one line each. usage: confluent_admin.py BOOTSTRAP"""

import sys

import confluent_kafka
from confluent_kafka import ElectionType, IsolationLevel, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient, ConfigResource, DeletedRecords, NewPartitions, NewTopic, OffsetSpec,
)

bootstrap, = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": bootstrap})
checks = 0


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


def main():
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
    say("describe_cluster", cluster)
    say("elect_leaders", lambda: elect(ElectionType.PREFERRED, [TopicPartition("rdkafka", 0), TopicPartition("no-such", 0)]))
    say("elect_leaders all", lambda: elect(ElectionType.UNCLEAN, None))
    say("delete_topics", lambda: each(admin.delete_topics(["rdkafka", "no-such"], operation_timeout=30)))
    print(f"OK confluent-kafka {confluent_kafka.__version__} checks={checks}")


main()
