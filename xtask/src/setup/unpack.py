"""Unpacks wheels: unpack.py WHEELS SITE. Only what builds and programs need; torch's Python code stays out."""

import os
import sys
import time
import zipfile

KEEP = ("torch/lib/", "torch/include/", "torch/share/", "torch/version.py", "nvidia/")


def wanted(name):
    # The .dist-info folders hold the licences.
    return name.startswith(KEEP) or ".dist-info/" in name


def main(wheels, site):
    members = []
    for wheel in sorted(os.listdir(wheels)):
        archive = zipfile.ZipFile(os.path.join(wheels, wheel))
        members += [(archive, m) for m in archive.infolist() if wanted(m.filename) and not m.is_dir()]
    total = sum(member.file_size for _, member in members)
    done, last = 0, time.monotonic()
    os.makedirs(site)
    for archive, member in members:
        archive.extract(member, site)
        done += member.file_size
        if time.monotonic() - last > 5:
            last = time.monotonic()
            print(f"   {done // 10**6} MB of {total // 10**6} MB", flush=True)
    # The marker that the caller writes next must not reach the disk before the files do.
    os.sync()


main(sys.argv[1], sys.argv[2])
