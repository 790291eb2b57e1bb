"""Prints `OFFSET VALUE` of partition 0 with confluent-kafka, in fetches of few bytes.
usage: audit.py BOOTSTRAP TOPIC START END MAX_BYTES"""

import sys

from confluent_kafka import Consumer, TopicPartition

bootstrap, topic, start, end, max_bytes = sys.argv[1:]
reader = Consumer({
    "bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False,
    "fetch.message.max.bytes": int(max_bytes), "auto.offset.reset": "error",
})
reader.assign([TopicPartition(topic, 0, int(start))])
out = sys.stdout.buffer
offset = int(start) - 1
while offset < int(end) - 1:
    messages = reader.consume(10_000, 30)
    if not messages:
        sys.exit(f"nothing after offset {offset}")
    for message in messages:
        if message.error():
            sys.exit(str(message.error()))
        offset = message.offset()
        if offset < int(end):
            out.write(b"%d %s\n" % (offset, message.value()))
reader.close()
