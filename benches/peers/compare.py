"""Our kernel and its Python peers in turn: compare.py CRATE [--rounds N] [--rows TEXT]. Run by `cargo xtask bench CRATE --peers`.

One round measures every row once with our criterion bench and once with each peer, so that a slow minute of the
machine hits all alike; the table shows the median over the rounds. Each peer lives in its own process for the whole
run (a compiled peer compiles once) and is idle while others are measured.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
THREADS = 2
CRITERION = ["--warm-up-time", "1", "--measurement-time", "2", "--sample-size", "50"]


def environment():
    """Two threads for everybody, whatever library the threads belong to."""
    counts = {name: str(THREADS) for name in ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    # Each on a core of its own, as ours are, which OpenMP would hide from them. A pool of compiling processes would run beside the
    # measurements.
    cores = ",".join(str(core) for core in sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else None
    bound = {"OMP_PROC_BIND": "true"} | ({"VARIATA_BENCH_CORES": cores} if cores else {})
    return {**os.environ, **counts, **bound, "TORCHINDUCTOR_COMPILE_THREADS": "1"}


def measure_ours(crate, features, row, criterion_home):
    """Median of one criterion bench in nanoseconds."""
    started = time.time()
    command = [os.environ.get("CARGO", "cargo"), "bench", "--quiet", "--package", "variata-benches", "--bench", crate]
    command += [f"--features={','.join(features)}"] if features else []
    command += ["--", "--exact", row, *CRITERION]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env={**environment(), "CRITERION_HOME": str(criterion_home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if run.returncode != 0:
        sys.exit(f"{run.stdout}\nerror: `{' '.join(command)}` failed")
    # The folder's name is the id with some characters replaced; the file beside the estimates has the id itself.
    for description in criterion_home.glob("**/new/benchmark.json"):
        # What an earlier session measured of a row that is gone is no answer.
        if json.loads(description.read_text())["full_id"] == row and description.stat().st_mtime >= started:
            estimates = json.loads((description.parent / "estimates.json").read_text())
            return estimates["median"]["point_estimate"]
    sys.exit(f"error: benches/benches/{crate}.rs has no bench `{row}`")


class Worker:
    """A process that holds one peer: it takes the name of a row and answers with a JSON line."""

    def __init__(self, crate, peer):
        command = [sys.executable, str(HERE / "worker.py"), crate, peer, str(THREADS)]
        self.process = subprocess.Popen(
            command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.name = peer

    def ask(self, question):
        print(question, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"error: the peer `{self.name}` stopped while measuring `{question}`; its message is above")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# Flags of the kernel and what they are called, the widest first.
VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2"}


def processor():
    """Name of the processor and its widest vectors, for people and for the name of the folder."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        found = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        name, flags = found["model name"], found.get("flags", "").split()
    except (OSError, KeyError):
        return platform.processor() or platform.machine()
    # Rented machines of one name differ in them, and every row does with them.
    widest = [vectors for flag, vectors in VECTORS.items() if flag in flags]
    return ", ".join([name, *widest[:1]])


def show(nanoseconds):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


def table(rows, peers):
    """The Markdown table of the results."""
    head = ["row", "ours"] + [f"{peer} (÷ ours)" for peer in peers] + ["bound", "ours ÷ bound"]
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for row in rows:
        ours = row["ours_ns"]
        line = [f"`{row['id']}`", show(ours)]
        theirs = [row["peers_ns"][peer] for peer in peers]
        line += ["–" if time is None else f"{show(time)} ({time / ours:.2f})" for time in theirs]
        line += [f"{show(row['bound_ns'])} ({row['bound_by']})", f"{ours / row['bound_ns']:.2f}"]
        lines.append(line)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write(arguments, rows, peers, times, versions, rounds):
    """The table of the rounds so far, printed by the caller and written to the folder of the day and machine."""
    results = []
    for row in rows:
        kept = {
            name: None if None in values else statistics.median(values) for name, values in times[row["id"]].items()
        }
        bounds = {"bytes": kept["copy"], "flops": row["flops"] / kept["flops"]}
        by = max(bounds, key=bounds.get)
        results.append(
            {
                "id": row["id"],
                "ours_ns": kept["ours"],
                "peers_ns": {peer: kept[peer] for peer in peers},
                "bound_ns": bounds[by],
                "bound_by": by,
                "bytes": row["bytes"],
                "flops": row["flops"],
                "copy_gb_per_s": row["bytes"] / kept["copy"],
                "gflop_per_s": kept["flops"],
                "rounds_ns": {name: times[row["id"]][name] for name in ["ours", *peers]},
            }
        )
    now = datetime.datetime.now()
    date = now.date().isoformat()
    result = {
        "crate": arguments.crate,
        "date": date,
        "time": now.isoformat(timespec="seconds"),
        "processor": processor(),
        "threads": THREADS,
        "rounds": rounds,
        "versions": versions,
        "rows": results,
    }
    folder = ROOT / "benches" / "runs" / f"{date}-{slug(processor())}"
    folder.mkdir(parents=True, exist_ok=True)
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    text = (
        f"### {arguments.crate}\n\n{processor()}, {THREADS} threads, {date}; {named}; "
        f"median of {rounds} interleaved rounds.\n\n{table(results, peers)}\n"
    )
    name = arguments.crate if arguments.rows is None else f"{arguments.crate}-{slug(arguments.rows)}"
    # Of a day the run with most rounds counts: what fewer rounds have found lies beside it until they are as many.
    kept = folder / f"{name}.json"
    if kept.exists() and json.loads(kept.read_text())["rounds"] > rounds:
        name += "-fewer-rounds"
    else:
        for ending in ("json", "md"):
            (folder / f"{name}-fewer-rounds.{ending}").unlink(missing_ok=True)
    replace(folder / f"{name}.json", json.dumps(result, indent=1) + "\n")
    replace(folder / f"{name}.md", text)
    return text, f"{folder.relative_to(ROOT)}/{name}"


def replace(path, text):
    """Writes a file that is there whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    partial.replace(path)


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("crate")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", help="only rows whose id contains this")
    arguments = parser.parse_args()

    sys.path.insert(0, str(HERE))
    module = __import__(arguments.crate)
    features = getattr(module, "FEATURES", [])
    rows = [row for row in module.ROWS if (arguments.rows or "") in row["id"]]
    if not rows:
        every = ", ".join(row["id"] for row in module.ROWS)
        sys.exit(f"error: no row contains `{arguments.rows}`; there are {every}")
    workers = {peer: Worker(arguments.crate, peer) for peer in module.PEERS}
    machine = Worker(arguments.crate, "machine")
    # Their imports would run beside the first measurement.
    for worker in [*workers.values(), machine]:
        worker.ask("ready")
    versions = machine.ask("versions")
    # Cargo takes a relative folder from where it is called; the bench itself runs elsewhere.
    target = (ROOT / os.environ.get("CARGO_TARGET_DIR", "target")).resolve()
    # A folder of its own: criterion would compare with, and overwrite, what `cargo bench` left.
    criterion_home = target / "criterion-peers"

    times = {row["id"]: {name: [] for name in ["ours", *workers, "copy", "flops"]} for row in rows}
    for number in range(1, arguments.rounds + 1):
        started = time.monotonic()
        for row in rows:
            kept = times[row["id"]]
            kept["ours"].append(measure_ours(arguments.crate, features, row["id"], criterion_home))
            for peer, worker in workers.items():
                kept[peer].append(worker.ask(row["id"])["ns"])
            kept["copy"].append(machine.ask(f"copy {row['bytes']}")["ns"])
            kept["flops"].append(machine.ask("flops")["per_ns"])
        # After every round: a run that is stopped keeps what it has.
        text, place = write(arguments, rows, list(workers), times, versions, number)
        print(f"   round {number} of {arguments.rounds}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    for worker in [*workers.values(), machine]:
        worker.close()
    print(text)
    print(f"written to {place}.md and .json")


if __name__ == "__main__":
    main()
