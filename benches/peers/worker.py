"""One peer in a process of its own, asked over standard input: worker.py CRATE PEER THREADS.

`machine` is no peer but measures what bounds every kernel: the bandwidth of a copy with the same footprint, and the
rate of a matrix product.
"""

import json
import os
import statistics
import sys
import time

# Before torch: its OpenMP binds this thread to one core, on which NumPy's threads would then lie, too.
import numpy  # noqa: F401
import torch


def median_ns(function, seconds=2.0):
    """Median time of one call, over batches long enough for the clock, as criterion takes it."""
    # The first calls compile, allocate and start threads; the warm-up proper comes after them.
    function()
    function()
    start = time.perf_counter()
    while time.perf_counter() - start < seconds / 2:
        function()
    start = time.perf_counter_ns()
    function()
    batch = max(1, int(2e6 / max(1, time.perf_counter_ns() - start)))
    samples = []
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline or len(samples) < 10:
        start = time.perf_counter_ns()
        for _ in range(batch):
            function()
        samples.append((time.perf_counter_ns() - start) / batch)
    return statistics.median(samples)


def copy_ns(total):
    """Time to read half of `total` bytes and write the other half: what a kernel that only streams would take."""
    source = torch.ones(total // 8, dtype=torch.float32)
    goal = torch.empty_like(source)
    return median_ns(lambda: goal.copy_(source), 0.5)


def flops_per_ns():
    """Rate of a large f32 matrix product."""
    n = 1024
    a, b = torch.ones(n, n), torch.ones(n, n)
    c = torch.empty(n, n)
    return 2 * n**3 / median_ns(lambda: torch.mm(a, b, out=c), 0.5)


def answer_machine(question):
    words = question.split()
    if words[0] == "copy":
        return {"ns": copy_ns(int(words[1]))}
    if words[0] == "flops":
        return {"per_ns": flops_per_ns()}
    return {"torch": torch.__version__, "python": sys.version.split()[0]}


def main():
    crate, peer, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    # Libraries print what they like; the answers keep the real standard output to themselves.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    module = __import__(crate)
    ready = {}
    for line in sys.stdin:
        question = line.strip()
        if question == "ready":
            answer = {}
        elif peer == "machine":
            answer = answer_machine(question)
        else:
            if question not in ready:
                ready[question] = module.make(question, peer)
            # A peer may have nothing like a row.
            answer = {"ns": None if ready[question] is None else median_ns(ready[question])}
        print(json.dumps(answer), file=answers, flush=True)


main()
