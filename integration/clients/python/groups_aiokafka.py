"""aiokafka in a group of two. usage: groups_aiokafka.py BOOTSTRAP TOPIC COUNT"""

import asyncio

import aiokafka
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from common import check, finish
from groups import Seen, bootstrap, count, deadline, is_balanced, topic

group = "aiokafka"


class Commit(ConsumerRebalanceListener):
    def __init__(self, consumer):
        self.consumer = consumer

    async def on_partitions_revoked(self, revoked):
        if revoked:
            await self.consumer.commit()

    async def on_partitions_assigned(self, assigned):
        pass


async def main():
    seen = Seen(group)
    members = [AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest",
                                enable_auto_commit=False, session_timeout_ms=6000, heartbeat_interval_ms=200)
               for _ in range(2)]
    for member in members:
        member.subscribe([topic], listener=Commit(member))
    await asyncio.gather(*[member.start() for member in members])
    in_time = deadline()

    def owned():
        return [{partition.partition for partition in member.assignment()} for member in members]

    while not (is_balanced(owned()) and seen.is_complete()):
        for member in members:
            for messages in (await member.getmany(timeout_ms=50)).values():
                for message in messages:
                    seen.add(message.partition, message.offset)
        in_time(group, owned())
    for member in members:
        await member.commit()
        await member.stop()
    check(f"{group} has read all", len(seen.records) == count, len(seen.records))


asyncio.run(main())
finish("aiokafka", aiokafka.__version__)
