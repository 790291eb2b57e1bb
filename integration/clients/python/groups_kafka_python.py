"""kafka-python in a group of two. usage: groups_kafka_python.py BOOTSTRAP TOPIC COUNT"""

import threading

import kafka
from kafka import KafkaConsumer
from common import check, finish
from groups import Seen, bootstrap, count, deadline, is_balanced, topic

group = "kafka-python"
seen, lock, stop = Seen(group), threading.Lock(), threading.Event()
owned, failures = [set(), set()], []


def run(place):
    try:
        consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest",
                                 enable_auto_commit=False, session_timeout_ms=6000, heartbeat_interval_ms=200)
        consumer.subscribe([topic])
        while not stop.is_set():
            batches = consumer.poll(timeout_ms=50)
            with lock:
                owned[place] = {partition.partition for partition in consumer.assignment()}
                for messages in batches.values():
                    for message in messages:
                        seen.add(message.partition, message.offset)
            # Its listener runs where nothing can be awaited, so it commits at once.
            if batches:
                consumer.commit()
        consumer.close()
    except BaseException as error:
        failures.append(error)


threads = [threading.Thread(target=run, args=(place,)) for place in range(2)]
for thread in threads:
    thread.start()
in_time = deadline()
while True:
    with lock:
        if is_balanced(owned) and seen.is_complete():
            break
    if failures:
        break
    stop.wait(0.05)
    in_time(group, owned)
stop.set()
for thread in threads:
    thread.join()
check("no failure", not failures, failures)
check(f"{group} has read all", len(seen.records) == count, len(seen.records))
finish("kafka-python", kafka.__version__)
