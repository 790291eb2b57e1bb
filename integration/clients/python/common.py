"""What every client program sends and expects; integration/src/scenario.rs knows the same by heart."""

import sys
import time

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
COUNT = 100
# With one record in the batch, its headers and lengths, this is exactly Kafka's default limit of 1,048,588 bytes.
LARGEST_VALUE = 1_048_516
ONE_MIB = 1 << 20
TIMES = 10
BASE_TIME = int(time.time() * 1000) - 60_000

checks = 0


def check(what, good, seen=None):
    """Counts a check; ends the program at the first that fails."""
    global checks
    if not good:
        sys.exit(f"FAILED {what}: {seen!r}")
    checks += 1


def key(i):
    return f"key-{i}".encode()


def value(i):
    return f"value-{i}-".encode() + b"x" * (i * 7 % 50)


def large_value(size):
    return bytes(i * 31 % 251 for i in range(251)) * (size // 251 + 1)


def large(size):
    return large_value(size)[:size]


def finish(name, version):
    print(f"OK {name} {version} checks={checks}")
