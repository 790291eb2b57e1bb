"""What every group program does: its members read each record once, whatever the rebalances, and commit.

usage: PROGRAM BOOTSTRAP TOPIC COUNT. TOPIC has 6 partitions, and COUNT records that no group has committed yet.
"""

import sys
import time

from common import check

PARTITIONS = 6
LIMIT = 60

bootstrap, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])


class Seen:
    """The records that a group has read."""

    def __init__(self, group):
        self.group, self.records = group, set()

    def add(self, partition, offset):
        check(f"{self.group} reads {partition}-{offset} once", (partition, offset) not in self.records)
        self.records.add((partition, offset))

    def is_complete(self):
        return len(self.records) >= count


def is_balanced(assignments):
    """Whether every partition has one owner, and every member a share."""
    owned = [partition for assignment in assignments for partition in assignment]
    return all(assignments) and sorted(owned) == list(range(PARTITIONS))


def deadline():
    end = time.monotonic() + LIMIT

    def check_time(what, seen=None):
        if time.monotonic() > end:
            check(f"{what} within {LIMIT} s", False, seen)

    return check_time
