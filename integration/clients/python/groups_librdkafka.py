"""Members of librdkafka's groups: how they read, commit, leave and are balanced, whatever the protocol."""

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, KafkaException
from common import check, finish
from groups import Seen, bootstrap, count, deadline, is_balanced


def commit(consumer, *_):
    """Commits what was read, before partitions go elsewhere."""
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        check("commit", error.args[0].code() == KafkaError._NO_OFFSET, error)


def member(group, topics, **config):
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False, **config,
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


def balance(what, members, seen):
    poll_until(what, members, seen, lambda: is_balanced(assignments(members)) and seen.is_complete())


def close(group, members, seen):
    for left in members:
        commit(left)
        left.close()
    check(f"{group} has read all", len(seen.records) == count, len(seen.records))


def one_leaves(group, topics, **config):
    """Three members share the partitions; when one goes, the others take over what it had."""
    seen = Seen(group)
    members = [member(group, topics, **config) for _ in range(3)]
    balance(group, members, seen)
    commit(members[2])
    members.pop().close()
    balance(f"{group} without one", members, seen)
    close(group, members, seen)


def static_member_is_back(group, topics, **config):
    """A static member that goes and comes again has what it had."""
    seen = Seen(group)

    def static(number):
        return member(group, topics, **config, **{"group.instance.id": f"static-{number}"})

    members = [static(0), static(1)]
    balance(group, members, seen)
    owned = assignments(members)
    commit(members[1])
    members[1].close()
    members[1] = static(1)
    balance("the static member is back", members, seen)
    check("it has what it had", assignments(members) == owned, assignments(members))
    close(group, members, seen)


def all_is_checked():
    finish("confluent-kafka", f"{confluent_kafka.__version__}/librdkafka-{confluent_kafka.libversion()[0]}")
