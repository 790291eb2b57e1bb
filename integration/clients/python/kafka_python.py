"""kafka-python. usage: kafka_python.py BOOTSTRAP PREFIX"""

import sys

import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, MessageSizeTooLargeError, TopicAlreadyExistsError
from common import *

bootstrap, prefix = sys.argv[1:]
admin = KafkaAdminClient(bootstrap_servers=bootstrap)


def topic(name, partitions=1, **config):
    name = f"{prefix}-{name}"
    admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)], timeout_ms=30_000)
    return name


def produce(name, messages, **config):
    """Produces and returns the metadata or the error of each."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=50, max_request_size=4 << 20, **config)
    futures = [producer.send(name, partition=0, **message) for message in messages]
    results = []
    for future in futures:
        try:
            results.append(future.get(60))
        except KafkaError as error:
            results.append(error)
    producer.close()
    return results


def consume(name, offset=0):
    """Reads partition 0 by assignment up to its end."""
    partition = TopicPartition(name, 0)
    reader = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, consumer_timeout_ms=30_000,
                           max_partition_fetch_bytes=4 << 20)
    reader.assign([partition])
    reader.seek(partition, offset)
    messages, end = [], reader.end_offsets([partition])[partition]
    while reader.position(partition) < end:
        messages.append(next(reader))
    reader.close()
    return messages


name = topic("create", partitions=3, **{"retention.ms": "3600000"})
check("partitions", len(admin.describe_topics([name])[0]["partitions"]) == 3)
try:
    topic("create")
    check("second creation", False)
except TopicAlreadyExistsError as error:
    check("second creation", True)

for codec in CODECS:
    name = topic(codec)
    messages = [dict(key=key(i), value=value(i), headers=[("codec", codec.encode())]) for i in range(COUNT)]
    results = produce(name, messages, compression_type=None if codec == "none" else codec)
    check("delivery", [getattr(r, "offset", r) for r in results] == list(range(COUNT)), results)
    read = consume(name)
    check("count", len(read) == COUNT, len(read))
    for i, message in enumerate(read):
        seen = (message.offset, message.key, message.value, list(message.headers))
        check("message", seen == (i, key(i), value(i), [("codec", codec.encode())]), seen)
    check("from the middle", [m.offset for m in consume(name, 57)] == list(range(57, COUNT)))

name = topic("special")
# The client itself refuses null headers, and a message without key and value.
produce(name, [
    dict(value=b"only-value"),
    dict(key=b"only-key"),
    dict(value=b""),
    dict(key=b"k", value=b"v", headers=[("h", b"1"), ("h", b"2"), ("n", b""), ("e", b"")]),
])
read = [(m.key, m.value, list(m.headers)) for m in consume(name)]
check("nulls and headers", read == [
    (None, b"only-value", []), (b"only-key", None, []), (None, b"", []),
    (b"k", b"v", [("h", b"1"), ("h", b"2"), ("n", b""), ("e", b"")]),
], read)

name = topic("large")
results = produce(name, [dict(value=large(LARGEST_VALUE))])
check("largest", getattr(results[0], "offset", None) == 0, results)
results = produce(name, [dict(value=large(LARGEST_VALUE + 1))])
check("oversized", isinstance(results[0], MessageSizeTooLargeError), results)
read = consume(name)
check("largest comes back", len(read) == 1 and read[0].value == large(LARGEST_VALUE))
name = topic("mebibyte", **{"max.message.bytes": "2097152"})
results = produce(name, [dict(value=large(ONE_MIB))] * 3)
check("1 MiB", [getattr(r, "offset", r) for r in results] == [0, 1, 2], results)
check("1 MiB comes back", [m.value == large(ONE_MIB) for m in consume(name)] == [True] * 3)

name = topic("time")
produce(name, [dict(value=value(i), timestamp_ms=BASE_TIME + i * 1000) for i in range(TIMES)])
partition = TopicPartition(name, 0)
reader = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None)
for asked, expected in [(0, 0), (BASE_TIME + 4500, 5), (BASE_TIME + 9000, 9)]:
    found = reader.offsets_for_times({partition: asked})[partition]
    check("offset by time", found is not None and found.offset == expected, found)
check("offset after the last", reader.offsets_for_times({partition: BASE_TIME + 10**6})[partition] is None)
check("bounds", (reader.beginning_offsets([partition])[partition], reader.end_offsets([partition])[partition]) == (0, TIMES))
reader.close()

described = admin.describe_topics([f"{prefix}-unknown"])
check("unknown topic", described[0]["error_code"] == 3, described)

name = topic("idempotent")
messages = [dict(key=key(i), value=value(i)) for i in range(COUNT)]
results = produce(name, messages, enable_idempotence=True)
check("idempotent", [getattr(r, "offset", r) for r in results] == list(range(COUNT)), results)
check("in order", [m.value for m in consume(name)] == [value(i) for i in range(COUNT)])

name = topic("deleted")
admin.delete_topics([name], timeout_ms=30_000)
check("deletion", name not in admin.list_topics())
admin.close()

finish("kafka-python", kafka.__version__)
