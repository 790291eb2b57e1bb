"""confluent-kafka (librdkafka) in groups: eager, cooperative, static. usage: groups_confluent.py BOOTSTRAP TOPIC COUNT"""

from groups import topic
from groups_librdkafka import all_is_checked, one_leaves, static_member_is_back

CLASSIC = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 200}

for strategy in ["range", "cooperative-sticky"]:
    one_leaves(f"confluent-{strategy}", [topic], **CLASSIC, **{"partition.assignment.strategy": strategy})
static_member_is_back("confluent-static", [topic], **CLASSIC)
all_is_checked()
