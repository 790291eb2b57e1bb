"""confluent-kafka: today's librdkafka. usage: confluent.py BOOTSTRAP PREFIX"""

import sys

import confluent_kafka
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from common import *

bootstrap, prefix = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": bootstrap})


def topic(name, partitions=1, **config):
    name = f"{prefix}-{name}"
    new = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)
    admin.create_topics([new], operation_timeout=30)[name].result(30)
    return name


def produce(name, messages, **config):
    """Produces and returns the delivery errors, None where it went well."""
    results = []
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 50, **config})
    for message in messages:
        producer.produce(name, partition=0, on_delivery=lambda error, _: results.append(error), **message)
    check(f"flush {name}", producer.flush(60) == 0)
    return results


def consumer(**config):
    return Consumer({
        "bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False,
        "enable.partition.eof": True, "fetch.message.max.bytes": 4 << 20, **config,
    })


def consume(name, offset=OFFSET_BEGINNING):
    """Reads partition 0 by assignment up to its end."""
    reader, messages = consumer(), []
    reader.assign([TopicPartition(name, 0, offset)])
    while True:
        message = reader.poll(30)
        check(f"poll {name}", message is not None)
        if message.error():
            check(f"end of {name}", message.error().code() == KafkaError._PARTITION_EOF, message.error())
            reader.close()
            return messages
        messages.append(message)


name = topic("create", partitions=3, **{"retention.ms": "3600000"})
check("partitions", len(admin.list_topics(name, timeout=30).topics[name].partitions) == 3)
try:
    topic("create")
    check("second creation", False)
except KafkaException as error:
    check("second creation", error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS, error)

for codec in CODECS:
    name = topic(codec)
    messages = [dict(key=key(i), value=value(i), headers=[("codec", codec.encode())]) for i in range(COUNT)]
    check("delivery", produce(name, messages, **{"compression.type": codec}) == [None] * COUNT)
    read = consume(name)
    check("count", len(read) == COUNT, len(read))
    for i, message in enumerate(read):
        seen = (message.offset(), message.key(), message.value(), message.headers())
        check("message", seen == (i, key(i), value(i), [("codec", codec.encode())]), seen)
    check("from the middle", [m.offset() for m in consume(name, 57)] == list(range(57, COUNT)))

name = topic("special")
produce(name, [
    dict(value=b"only-value"),
    dict(key=b"only-key"),
    dict(),
    dict(key=b"k", value=b"v", headers=[("h", b"1"), ("h", b"2"), ("n", None), ("e", b"")]),
])
read = [(m.key(), m.value(), m.headers()) for m in consume(name)]
check("nulls and headers", read == [
    (None, b"only-value", None), (b"only-key", None, None), (None, None, None),
    (b"k", b"v", [("h", b"1"), ("h", b"2"), ("n", None), ("e", b"")]),
], read)

name = topic("large")
big = {"message.max.bytes": 4 << 20}
check("largest", produce(name, [dict(value=large(LARGEST_VALUE))], **big) == [None])
errors = produce(name, [dict(value=large(LARGEST_VALUE + 1))], **big)
check("oversized", errors[0].code() == KafkaError.MSG_SIZE_TOO_LARGE, errors)
read = consume(name)
check("largest comes back", len(read) == 1 and read[0].value() == large(LARGEST_VALUE))
name = topic("mebibyte", **{"max.message.bytes": "2097152"})
check("1 MiB", produce(name, [dict(value=large(ONE_MIB))] * 3, **big) == [None] * 3)
check("1 MiB comes back", [m.value() == large(ONE_MIB) for m in consume(name)] == [True] * 3)

name = topic("time")
produce(name, [dict(value=value(i), timestamp=BASE_TIME + i * 1000) for i in range(TIMES)])
reader = consumer()
for asked, expected in [(0, 0), (BASE_TIME + 4500, 5), (BASE_TIME + 9000, 9)]:
    found = reader.offsets_for_times([TopicPartition(name, 0, asked)], timeout=30)[0]
    check("offset by time", found.error is None and found.offset == expected, found)
found = reader.offsets_for_times([TopicPartition(name, 0, BASE_TIME + 10**6)], timeout=30)[0]
check("offset after the last", found.error is None and found.offset == -1, found)
check("watermarks", reader.get_watermark_offsets(TopicPartition(name, 0), timeout=30) == (0, TIMES))
reader.close()

reader = consumer()
described = reader.list_topics(f"{prefix}-unknown", timeout=30).topics[f"{prefix}-unknown"]
check("unknown topic", described.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART, described.error)
reader.close()

name = topic("idempotent")
messages = [dict(key=key(i), value=value(i)) for i in range(COUNT)]
check("idempotent", produce(name, messages, **{"enable.idempotence": True, "linger.ms": 0}) == [None] * COUNT)
check("in order", [m.value() for m in consume(name)] == [value(i) for i in range(COUNT)])

name = topic("deleted")
admin.delete_topics([name], operation_timeout=30)[name].result(30)
check("deletion", name not in admin.list_topics(timeout=30).topics)

finish("confluent-kafka", f"{confluent_kafka.__version__}/librdkafka-{confluent_kafka.libversion()[0]}")
