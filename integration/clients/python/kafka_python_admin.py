"""kafka-python's admin client: what each call answers, one line each. usage: kafka_python_admin.py BOOTSTRAP"""

import sys

import kafka
from kafka import KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
from kafka.errors import KafkaError

bootstrap, = sys.argv[1:]
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
