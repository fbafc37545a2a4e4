"""Makes the damaged IDX files of this folder, as hexadecimal text so that a change of one can be read. The name of
each begins with the error that it must give.

    python3 make_corpus.py
"""

import gzip
import pathlib
import struct

here = pathlib.Path(__file__).resolve().parent


def idx(code, lengths, content=b"", zeros=b"\0\0", rank=None):
    rank = len(lengths) if rank is None else rank
    return zeros + bytes([code, rank]) + b"".join(struct.pack(">I", n) for n in lengths) + content


def pack(content):
    return gzip.compress(content, mtime=0)


good = idx(0x08, [2, 3], bytes(range(6)))
zipped = pack(good)
FILES = {
    "truncated-empty": b"",
    "truncated-one-byte": b"\x1f",
    "truncated-magic": good[:3],
    "truncated-lengths": good[:9],
    "truncated-elements": good[:-1],
    "truncated-announces-8-gib": idx(0x08, [1 << 31, 4], b"abc"),
    "truncated-rank-255": idx(0x08, [1], rank=255),
    "truncated-f64-half-an-element": idx(0x0E, [1], b"1234"),
    "magic-first-byte": idx(0x08, [1], b"a", zeros=b"\1\0"),
    "magic-second-byte": idx(0x08, [1], b"a", zeros=b"\0\1"),
    "magic-type-0a": idx(0x0A, [1], b"a"),
    "magic-png": b"\x89PNG\r\n\x1a\n",
    "trailing-one-byte": good + b"\0",
    "trailing-behind-no-element": idx(0x08, [0], b"a"),
    "toolarge-product-overflows": idx(0x08, [0xFFFFFFFF] * 4, b"a"),
    "toolarge-product-wraps-to-zero": idx(0x08, [1 << 16] * 4, b"a"),
    "toolarge-zero-times-overflow": idx(0x0E, [0] + [0xFFFFFFFF] * 4),
    "toolarge-one-over-the-limit": idx(0x08, [(1 << 31) + 1, 4], b"a"),
    "gzip-magic-only": zipped[:2],
    "gzip-truncated": zipped[:-9],
    "gzip-without-its-sums": zipped[:-8],
    "gzip-wrong-crc": zipped[:-8] + bytes([zipped[-8] ^ 1]) + zipped[-7:],
    "gzip-trailing-garbage": zipped + b"garbage",
    "gzip-reserved-block": zipped[:10] + b"\xff" + zipped[11:],
    "trailing-gzip-second-member": zipped + pack(b"x"),
    "trailing-gzip-bomb": pack(good + bytes(1 << 22)),
    "truncated-gzip-inside": pack(good[:-2]),
    "truncated-gzip-announces-8-gib": pack(idx(0x08, [1 << 31, 4], b"abc")),
}

for name, content in FILES.items():
    lines = [content[i : i + 32].hex(" ", 1) for i in range(0, len(content), 32)]
    (here / f"{name}.hex").write_text("".join(f"{line}\n" for line in lines))
