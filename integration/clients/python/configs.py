"""Configurations by confluent-kafka and kafka-python. usage: configs.py BOOTSTRAP BROKER_ID"""

import sys
import time

import confluent_kafka
from confluent_kafka import KafkaException
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType)
from kafka.admin import ConfigResource as PythonResource
from kafka.admin import ConfigResourceType as PythonType
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from common import *

bootstrap, broker_id = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": bootstrap})
python = KafkaAdminClient(bootstrap_servers=bootstrap)
admin.create_topics([NewTopic("t", 1, 1)], operation_timeout=30)["t"].result(30)
SET, DELETE, APPEND, SUBTRACT = (AlterConfigOpType.SET, AlterConfigOpType.DELETE, AlterConfigOpType.APPEND,
                                 AlterConfigOpType.SUBTRACT)


def described(kind, name):
    resource = ConfigResource(kind, name)
    return admin.describe_configs([resource], request_timeout=30)[resource].result(30)


def topic_value(key):
    return described(ResourceType.TOPIC, "t")[key].value


def until(what, seen):
    """Asks again until it holds: Apache Kafka's broker takes a change over a little after the answer."""
    deadline = time.monotonic() + 30
    while not seen() and time.monotonic() < deadline:
        pass
    check(what, seen(), described(ResourceType.TOPIC, "t"))


def outcome(future):
    """None, or the message of the error."""
    try:
        future.result(30)
        return None
    except KafkaException as error:
        return error.args[0].str()


def change(kind, name, *operations, validate_only=False):
    entries = [ConfigEntry(key, value, incremental_operation=operation) for key, value, operation in operations]
    resource = ConfigResource(kind, name, incremental_configs=entries)
    return outcome(admin.incremental_alter_configs([resource], validate_only=validate_only, request_timeout=30)[resource])


def replace(kind, name, values, **options):
    resource = ConfigResource(kind, name, set_config=values)
    return outcome(admin.alter_configs([resource], request_timeout=30, **options)[resource])


# confluent-kafka: the four operations on a topic.
check("set", change(ResourceType.TOPIC, "t", ("retention.ms", "5000", SET)) is None)
until("is set", lambda: topic_value("retention.ms") == "5000")
check("validate", change(ResourceType.TOPIC, "t", ("retention.ms", "6000", SET), validate_only=True) is None)
until("is not changed", lambda: topic_value("retention.ms") == "5000")
check("append", change(ResourceType.TOPIC, "t", ("cleanup.policy", "compact", APPEND)) is None)
until("is appended", lambda: topic_value("cleanup.policy") == "delete,compact")
check("subtract", change(ResourceType.TOPIC, "t", ("cleanup.policy", "delete", SUBTRACT)) is None)
until("is subtracted", lambda: topic_value("cleanup.policy") == "compact")
check("delete", change(ResourceType.TOPIC, "t", ("cleanup.policy", None, DELETE), ("retention.ms", None, DELETE)) is None)
until("is deleted", lambda: topic_value("cleanup.policy") == "delete" and topic_value("retention.ms") == "604800000")

# What is refused, in Kafka's words.
refused = [
    (ResourceType.TOPIC, "t", ("retention.ms", "x", SET),
     "Invalid value x for configuration retention.ms: Not a number of type LONG"),
    (ResourceType.TOPIC, "t", ("nonsense", "1", SET), "Unknown topic config name: nonsense"),
    (ResourceType.TOPIC, "t", ("retention.ms", "1", APPEND), "Can't APPEND to key retention.ms because its type is not LIST."),
    (ResourceType.TOPIC, "absent", ("retention.ms", "1", SET), "The topic 'absent' does not exist."),
    (ResourceType.BROKER, broker_id, ("num.partitions", "3", SET), "Cannot update these configs dynamically: [num.partitions]"),
    (ResourceType.BROKER, broker_id, ("log.retention.ms", "x", SET),
     "Invalid value x for configuration log.retention.ms: Not a number of type LONG"),
    (ResourceType.BROKER, broker_id, ("message.max.bytes", "1", APPEND),
     "Config value append is not allowed for config key: message.max.bytes"),
]
for kind, name, operation, expected in refused:
    message = change(kind, name, operation)
    check(f"refused {operation}", message == expected, message)

# The older API: what is not named is unset.
check("replace", replace(ResourceType.TOPIC, "t", {"flush.ms": "77", "segment.bytes": "2000000"}) is None)
until("is replaced", lambda: topic_value("flush.ms") == "77" and topic_value("segment.bytes") == "2000000")
check("replace again", replace(ResourceType.TOPIC, "t", {"flush.ms": "78"}) is None)
until("the other is unset", lambda: topic_value("flush.ms") == "78" and topic_value("segment.bytes") == "1073741824")
check("replace, validated", replace(ResourceType.TOPIC, "t", {}, validate_only=True) is None)
until("is as it was", lambda: topic_value("flush.ms") == "78")
message = replace(ResourceType.TOPIC, "t", {"flush.ms": "x"})
check("replace refused", message == "Invalid value x for configuration flush.ms: Not a number of type LONG", message)

# A broker's key, and what its topics make of it.
check("of the broker", change(ResourceType.BROKER, broker_id, ("log.retention.ms", "99999", SET)) is None)
until("topic follows", lambda: topic_value("retention.ms") == "99999")
names = list(described(ResourceType.TOPIC, "t")["retention.ms"].synonyms)
check("synonyms", names == ["log.retention.ms", "log.retention.hours"], names)
check("of the broker, unset", change(ResourceType.BROKER, broker_id, ("log.retention.ms", None, DELETE)) is None)
until("topic follows back", lambda: topic_value("retention.ms") == "604800000")
check("secrets", described(ResourceType.BROKER, broker_id)["ssl.key.password"].is_sensitive)

# kafka-python.
python.alter_configs([PythonResource(PythonType.TOPIC, "t", {"retention.ms": "7000"})])
until("kafka-python sets", lambda: topic_value("retention.ms") == "7000")
python.alter_configs([PythonResource(PythonType.TOPIC, "t", {"cleanup.policy": ("APPEND", "compact")})])
until("kafka-python appends", lambda: topic_value("cleanup.policy") == "delete,compact")
python.alter_configs([PythonResource(PythonType.TOPIC, "t", {"retention.bytes": "9"})], incremental=False)
until("kafka-python replaces or adds", lambda: topic_value("retention.bytes") == "9")
python.alter_configs([PythonResource(PythonType.TOPIC, "t", {"retention.ms": ("DELETE", None)})])
until("kafka-python deletes", lambda: topic_value("retention.ms") == "604800000")
found = python.describe_configs([PythonResource(PythonType.TOPIC, "t", None)], config_filter="all")
check("kafka-python describes", len(found["topic"]["t"]) >= 33, found)
listed = python.list_config_resources()
check("kafka-python lists", "t" in str(listed) and broker_id in str(listed), listed)

finish("configs", confluent_kafka.version()[0])
