"""Leaves groups of every kind in `__consumer_offsets` of an Apache Kafka, whose segment is then a golden file:

    integration/kafka/kafka start --port 0 --dir D offsets.topic.num.partitions=1 group.initial.rebalance.delay.ms=0
    python integration/golden/consumer_offsets.py BOOTSTRAP
    integration/kafka/kafka stop --dir D
    cp D/data/__consumer_offsets-0/00000000000000000000.log broker/tests/golden/consumer_offsets.log

A test of broker/src/group/loader.rs knows what is in it.
"""

import sys

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

bootstrap = sys.argv[1]
admin = AdminClient({"bootstrap.servers": bootstrap})
for future in admin.create_topics([NewTopic("t", 2, 1), NewTopic("u", 1, 1)]).values():
    future.result(30)


def consumer(group, **config):
    return Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, **config})


def await_assignment(member):
    while not member.assignment():
        member.poll(0.1)


# A group that nobody joins, with an offset that is overwritten and one that is deleted by deleting its topic's partition.
simple = consumer("simple")
simple.commit(offsets=[TopicPartition("t", 0, 5, "first")], asynchronous=False)
simple.commit(offsets=[TopicPartition("t", 0, 7, "second"), TopicPartition("t", 1, 8)], asynchronous=False)
simple.close()

# A group that is gone.
deleted = consumer("deleted")
deleted.commit(offsets=[TopicPartition("t", 0, 1)], asynchronous=False)
deleted.close()
for future in admin.delete_consumer_groups(["deleted"]).values():
    future.result(30)

# A group of the consumer protocol.
modern = consumer("modern", **{"group.protocol": "consumer"})
modern.subscribe(["t"])
await_assignment(modern)
modern.commit(offsets=[TopicPartition("t", 0, 3)], asynchronous=False)
modern.close()

# A static member of a classic group, which stays in it.
classic = consumer("classic", **{"group.instance.id": "one", "session.timeout.ms": 45000})
classic.subscribe(["t", "u"])
await_assignment(classic)
classic.commit(offsets=[TopicPartition("u", 0, 9)], asynchronous=False)

# Offsets in transactions: one committed, one aborted, one left open.
for number, end in enumerate(["commit", "abort", "leave open"]):
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": f"transaction-{number}"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce("u", end.encode())
    offsets = [TopicPartition("t", 0, 100 + number)]
    producer.send_offsets_to_transaction(offsets, consumer("transactional").consumer_group_metadata(), 30)
    if end == "commit":
        producer.commit_transaction(30)
    elif end == "abort":
        producer.abort_transaction(30)
