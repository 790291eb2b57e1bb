"""Testcontainers' Kafka module as its page shows it, both ways: without and with KRaft. usage: kafka_container.py"""

from importlib.metadata import version

from kafka import KafkaConsumer, KafkaProducer
from testcontainers.community.kafka import KafkaContainer

START_LIMIT = 120


def round_trip(bootstrap):
    """A record goes in and comes out at the address that the module gives."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    sent = producer.send("check", b"a record").get(60)
    producer.close()
    consumer = KafkaConsumer("check", bootstrap_servers=bootstrap, group_id="check", auto_offset_reset="earliest",
                             consumer_timeout_ms=60_000)
    received = next(consumer)
    consumer.close()
    assert (sent.offset, received.offset, received.value) == (0, 0, b"a record"), (sent, received)


for container in (KafkaContainer(), KafkaContainer().with_kraft()):
    try:
        container.start(timeout=START_LIMIT)
        round_trip(container.get_bootstrap_server())
    finally:
        container.stop()
print(f"OK testcontainers {version('testcontainers')} checks=2")
