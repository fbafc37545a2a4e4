"""Makes digits-images.idx3.gz and digits-labels.idx1.gz from the copy of the UCI digits inside the scikit-learn wheel.

    pip download --no-deps scikit-learn
    python3 make_digits.py scikit_learn-*.whl

Uses the standard library only. The output depends on the data alone (no time stamp, no file name in the gzip
header) up to the version of zlib; the tests check the bytes after decompression.
"""

import csv
import gzip
import hashlib
import io
import pathlib
import struct
import sys
import zipfile

MEMBER = "sklearn/datasets/data/digits.csv.gz"


def write(path: pathlib.Path, content: bytes) -> None:
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as stream:
        stream.write(content)
    path.write_bytes(buffer.getvalue())
    print(path.name, len(buffer.getvalue()), "bytes, content sha256", hashlib.sha256(content).hexdigest())


def main(wheel: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = gzip.decompress(archive.read(MEMBER)).decode("ascii")
    rows = [[int(float(cell)) for cell in row] for row in csv.reader(io.StringIO(text))]
    assert len(rows) == 1797 and all(len(row) == 65 for row in rows), "not the 1,797 digits"
    assert all(0 <= grey <= 16 for row in rows for grey in row[:64]), "a grey level outside 0..=16"
    assert all(0 <= row[64] <= 9 for row in rows), "a label outside 0..=9"
    here = pathlib.Path(__file__).resolve().parent
    images = struct.pack(">BBBBIII", 0, 0, 0x08, 3, len(rows), 8, 8) + bytes(g for row in rows for g in row[:64])
    labels = struct.pack(">BBBBI", 0, 0, 0x08, 1, len(rows)) + bytes(row[64] for row in rows)
    write(here / "digits-images.idx3.gz", images)
    write(here / "digits-labels.idx1.gz", labels)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 make_digits.py scikit_learn-<version>.whl")
    main(sys.argv[1])
