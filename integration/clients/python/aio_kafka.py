"""aiokafka. usage: aio_kafka.py BOOTSTRAP PREFIX"""

import asyncio
import sys

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from common import *

bootstrap, prefix = sys.argv[1:]


async def topic(admin, name, partitions=1, **config):
    name = f"{prefix}-{name}"
    answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)], timeout_ms=30_000)
    return name, answer.topic_errors[0][1]


async def produce(name, messages, **config):
    """Produces and returns the metadata or the error of each."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=50, max_request_size=4 << 20, **config)
    await producer.start()
    futures = [await producer.send(name, partition=0, **message) for message in messages]
    results = await asyncio.gather(*futures, return_exceptions=True)
    await producer.stop()
    return results


async def consume(name, offset=0):
    """Reads partition 0 by assignment up to its end."""
    partition = TopicPartition(name, 0)
    reader = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, max_partition_fetch_bytes=4 << 20)
    await reader.start()
    reader.assign([partition])
    reader.seek(partition, offset)
    messages, end = [], (await reader.end_offsets([partition]))[partition]
    while await reader.position(partition) < end:
        messages.append(await asyncio.wait_for(reader.getone(), 30))
    await reader.stop()
    return messages


async def creation(admin):
    name, error = await topic(admin, "create", partitions=3, **{"retention.ms": "3600000"})
    check("creation", error == 0, error)
    described = await admin.describe_topics([name])
    check("partitions", len(described[0]["partitions"]) == 3, described)
    check("second creation", (await topic(admin, "create"))[1] == 36)
    described = await admin.describe_topics([f"{prefix}-unknown"])
    check("unknown topic", described[0]["error_code"] == 3, described)


async def codecs(admin):
    for codec in CODECS:
        name, _ = await topic(admin, codec)
        messages = [dict(key=key(i), value=value(i), headers=[("codec", codec.encode())]) for i in range(COUNT)]
        results = await produce(name, messages, compression_type=None if codec == "none" else codec)
        check("delivery", [getattr(r, "offset", r) for r in results] == list(range(COUNT)), results)
        read = await consume(name)
        check("count", len(read) == COUNT, len(read))
        for i, message in enumerate(read):
            seen = (message.offset, message.key, message.value, list(message.headers))
            check("message", seen == (i, key(i), value(i), [("codec", codec.encode())]), seen)
        check("from the middle", [m.offset for m in await consume(name, 57)] == list(range(57, COUNT)))


async def special(admin):
    name, _ = await topic(admin, "special")
    # The client itself refuses a message without key and value, so the third has an empty value.
    await produce(name, [
        dict(value=b"only-value"),
        dict(key=b"only-key"),
        dict(value=b""),
        dict(key=b"k", value=b"v", headers=[("h", b"1"), ("h", b"2"), ("n", None), ("e", b"")]),
    ])
    read = [(m.key, m.value, list(m.headers)) for m in await consume(name)]
    check("nulls and headers", read == [
        (None, b"only-value", []), (b"only-key", None, []), (None, b"", []),
        (b"k", b"v", [("h", b"1"), ("h", b"2"), ("n", None), ("e", b"")]),
    ], read)


async def sizes(admin):
    name, _ = await topic(admin, "large")
    results = await produce(name, [dict(value=large(LARGEST_VALUE))])
    check("largest", getattr(results[0], "offset", None) == 0, results)
    results = await produce(name, [dict(value=large(LARGEST_VALUE + 1))])
    check("oversized", isinstance(results[0], MessageSizeTooLargeError), results)
    read = await consume(name)
    check("largest comes back", len(read) == 1 and read[0].value == large(LARGEST_VALUE))
    name, _ = await topic(admin, "mebibyte", **{"max.message.bytes": "2097152"})
    results = await produce(name, [dict(value=large(ONE_MIB))] * 3)
    check("1 MiB", [getattr(r, "offset", r) for r in results] == [0, 1, 2], results)
    check("1 MiB comes back", [m.value == large(ONE_MIB) for m in await consume(name)] == [True] * 3)


async def times(admin):
    name, _ = await topic(admin, "time")
    await produce(name, [dict(value=value(i), timestamp_ms=BASE_TIME + i * 1000) for i in range(TIMES)])
    partition = TopicPartition(name, 0)
    reader = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None)
    await reader.start()
    reader.assign([partition])
    for asked, expected in [(0, 0), (BASE_TIME + 4500, 5), (BASE_TIME + 9000, 9)]:
        found = (await reader.offsets_for_times({partition: asked}))[partition]
        check("offset by time", found is not None and found.offset == expected, found)
    found = (await reader.offsets_for_times({partition: BASE_TIME + 10**6}))[partition]
    check("offset after the last", found is None, found)
    bounds = (await reader.beginning_offsets([partition]))[partition], (await reader.end_offsets([partition]))[partition]
    check("bounds", bounds == (0, TIMES), bounds)
    await reader.stop()


async def idempotent(admin):
    name, _ = await topic(admin, "idempotent")
    messages = [dict(key=key(i), value=value(i)) for i in range(COUNT)]
    results = await produce(name, messages, enable_idempotence=True)
    check("idempotent", [getattr(r, "offset", r) for r in results] == list(range(COUNT)), results)
    check("in order", [m.value for m in await consume(name)] == [value(i) for i in range(COUNT)])


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    for part in [creation, codecs, special, sizes, times, idempotent]:
        await part(admin)
    name, _ = await topic(admin, "deleted")
    await admin.delete_topics([name], timeout_ms=30_000)
    check("deletion", name not in await admin.list_topics())
    await admin.close()


asyncio.run(main())
finish("aiokafka", aiokafka.__version__)
