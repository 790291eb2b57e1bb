"""confluent-kafka (librdkafka) with `group.protocol=consumer` (KIP-848). usage: groups_confluent_consumer.py BOOTSTRAP TOPIC COUNT"""

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, KafkaException
from common import check, finish
from groups import Seen, bootstrap, count, deadline, is_balanced, topic


def commit(consumer, *_):
    """Commits what was read, before partitions go elsewhere."""
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        check("commit", error.args[0].code() == KafkaError._NO_OFFSET, error)


def member(group, topics, **config):
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "group.protocol": "consumer", **config,
    })
    consumer.subscribe(topics, on_revoke=commit)
    return consumer


def assignments(members):
    return [[partition.partition for partition in member.assignment()] for member in members]


def poll_until(what, members, seen, done):
    in_time = deadline()
    while not done():
        for member in members:
            message = member.poll(0.05)
            if message is not None:
                check("message", not message.error(), message.error())
                seen.add(message.partition(), message.offset())
        in_time(what, assignments(members))


def close(members):
    for left in members:
        commit(left)
        left.close()


group = "confluent-consumer"
seen = Seen(group)
members = [member(group, [topic]) for _ in range(3)]
poll_until(group, members, seen, lambda: is_balanced(assignments(members)) and seen.is_complete())
commit(members[2])
members.pop().close()
poll_until(f"{group} without one", members, seen, lambda: is_balanced(assignments(members)))
close(members)
check(f"{group} has read all", len(seen.records) == count, len(seen.records))

group = "confluent-consumer-static"
seen = Seen(group)
members = [member(group, [topic], **{"group.instance.id": f"static-{n}"}) for n in range(2)]
poll_until(group, members, seen, lambda: is_balanced(assignments(members)) and seen.is_complete())
owned = assignments(members)
commit(members[1])
members[1].close()
members[1] = member(group, [topic], **{"group.instance.id": "static-1"})
poll_until("the static member is back", members, seen, lambda: is_balanced(assignments(members)))
check("it has what it had", assignments(members) == owned, assignments(members))
close(members)
check(f"{group} has read all", len(seen.records) == count, len(seen.records))

group = "confluent-consumer-regex"
seen = Seen(group)
members = [member(group, [f"^{topic}.*"])]
poll_until(group, members, seen, lambda: is_balanced(assignments(members)) and seen.is_complete())
close(members)

finish("confluent-kafka", f"{confluent_kafka.__version__}/librdkafka-{confluent_kafka.libversion()[0]}")
