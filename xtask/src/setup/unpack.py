"""Unpacks wheels: unpack.py WHEELS SITE. Only what builds and programs need; Python code stays out."""

import os
import re
import shutil
import sys
import time
import zipfile

KEEP = ("torch/lib/", "torch/include/", "torch/share/", "torch/version.py", "nvidia/")
# An MPI goes to bin, include and lib, as it would be installed; libclang to a folder of its own.
MPI = re.compile(r"mpich-[^/]*\.data/data/((?:bin|include|lib)/.*)")
CLANG = re.compile(r".*clang/native/(libclang\.[^/]*)")


def place(name):
    """Where a member goes; nowhere if it is not wanted."""
    # The .dist-info folders hold the licences.
    if name.startswith(KEEP) or ".dist-info/" in name:
        return name
    if found := MPI.fullmatch(name):
        return found[1]
    if found := CLANG.fullmatch(name):
        return "clang/" + found[1]
    return None


def main(wheels, site):
    members = []
    for wheel in sorted(os.listdir(wheels)):
        archive = zipfile.ZipFile(os.path.join(wheels, wheel))
        found = ((archive, m, place(m.filename)) for m in archive.infolist() if not m.is_dir())
        members += [one for one in found if one[2]]
    total = sum(member.file_size for _, member, _ in members)
    done, last = 0, time.monotonic()
    os.makedirs(site)
    for archive, member, name in members:
        path = os.path.join(site, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with archive.open(member) as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        # Programs stay programs.
        if name.startswith("bin/"):
            os.chmod(path, 0o755)
        done += member.file_size
        if time.monotonic() - last > 5:
            last = time.monotonic()
            print(f"   {done // 10**6} MB of {total // 10**6} MB", flush=True)
    # The marker that the caller writes next must not reach the disk before the files do.
    os.sync()


main(sys.argv[1], sys.argv[2])
