"""Permutations of the shuffle and a split of the digits, from an implementation of ChaCha8, Fisher-Yates and the
selection that shares no code with the crate. Writes permutations.tsv and splits.tsv, beside itself unless told.

    python3 generate.py [--out FOLDER]
"""

import argparse
import gzip
import math
import pathlib
import struct

here = pathlib.Path(__file__).resolve().parent
arguments = argparse.ArgumentParser()
arguments.add_argument("--out", type=pathlib.Path, default=here)
out = arguments.parse_args().out


def quarter(s, a, b, c, d):
    for x, y, z, r in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xFFFFFFFF
        s[z] ^= s[x]
        s[z] = ((s[z] << r) | (s[z] >> (32 - r))) & 0xFFFFFFFF


def words(key: bytes, stream: int):
    """32-bit words of ChaCha with 8 rounds, a 64-bit counter and a 64-bit stream number."""
    counter = 0
    while True:
        start = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key))
        start += list(struct.unpack("<4I", struct.pack("<QQ", counter, stream)))
        s = list(start)
        for _ in range(4):
            for column in range(4):
                quarter(s, column, 4 + column, 8 + column, 12 + column)
            for diagonal in range(4):
                quarter(s, diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4)
        yield from ((x + y) & 0xFFFFFFFF for x, y in zip(s, start))
        counter += 1


def shuffled(items, purpose: bytes, seed: int, stream: int):
    source = words(struct.pack("<Q8s16x", seed, purpose), stream)

    def below(k):
        while True:
            low = next(source)
            x = low | next(source) << 32
            if (x * k) & (2**64 - 1) >= 2**64 % k:
                return (x * k) >> 64

    order = list(items)
    for i in range(len(order) - 1, 0, -1):
        j = below(i + 1)
        order[i], order[j] = order[j], order[i]
    return order


def every(items, fraction):
    def nearest(x):
        return math.floor(x + 0.5)

    taken = [nearest(fraction * (p + 1)) > nearest(fraction * p) for p in range(len(items))]
    return [i for i, t in zip(items, taken) if t], [i for i, t in zip(items, taken) if not t]


def split(labels, seed, validation, test):
    pool = []
    for label in sorted(set(labels)):
        pool += shuffled([i for i, l in enumerate(labels) if l == label], b"split", seed, 1 + label)
    test_part, rest = every(pool, test)
    validation_part, _ = every(rest, validation / (1 - test))
    return sorted(validation_part), sorted(test_part)


def row(*cells):
    return "\t".join(",".join(map(str, c)) if isinstance(c, list) else str(c) for c in cells) + "\n"


CASES = [(1, 0, 0), (2, 1, 0), (10, 0, 0), (10, 0, 1), (10, 1, 0), (17, 2**64 - 1, 2**63), (40, 20261120, 7)]
with open(out / "permutations.tsv", "w") as table:
    table.write("# made by generate.py: n, seed, epoch, permutation\n")
    for n, seed, epoch in CASES:
        table.write(row(n, seed, epoch, shuffled(range(n), b"shuffle", seed, epoch)))

labels = gzip.decompress((here / "../../data/digits-labels.idx1.gz").read_bytes())[8:]
with open(out / "splits.tsv", "w") as table:
    table.write("# made by generate.py: seed, validation part, test part of the digits, fractions 0.1 and 0.2\n")
    for seed in (0, 7):
        table.write(row(seed, *split(labels, seed, 0.1, 0.2)))
