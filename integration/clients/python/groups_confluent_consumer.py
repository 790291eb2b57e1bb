"""confluent-kafka (librdkafka) with `group.protocol=consumer` (KIP-848). usage: groups_confluent_consumer.py BOOTSTRAP TOPIC COUNT"""

from groups import Seen, topic
from groups_librdkafka import all_is_checked, balance, close, member, one_leaves, static_member_is_back

CONSUMER = {"group.protocol": "consumer"}

one_leaves("confluent-consumer", [topic], **CONSUMER)
static_member_is_back("confluent-consumer-static", [topic], **CONSUMER)

group = "confluent-consumer-regex"
seen = Seen(group)
members = [member(group, [f"^{topic}.*"], **CONSUMER)]
balance(group, members, seen)
close(group, members, seen)
all_is_checked()
