"""Runs programs, and says what they cost."""

import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
import time

# glibc copies large pieces by `rep movsb`, which valgrind counts once a byte: not what it costs.
COUNTABLE = {"GLIBC_TUNABLES": "glibc.cpu.x86_rep_movsb_threshold=0x7fffffff:glibc.cpu.x86_rep_stosb_threshold=0x7fffffff"}
# What is counted by whom, and where in its report the number stands.
COUNTERS = {
    "instructions": (["valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=FILE"], r"^(?:summary|totals): (\d+)"),
    "allocations": (["valgrind", "--tool=memcheck", "--leak-check=no", "--undef-value-errors=no", "--log-file=FILE"], r"total heap usage: ([\d,]+) allocs"),
    "system calls": (["strace", "-f", "-c", "-o", "FILE"], r"^100\.00\s+\S+\s+\d+\s+(\d+).* total$"),
}


def lines(argv):
    """What a program prints. Spawned directly, since its start is part of what is measured."""
    ours, theirs = os.pipe()
    argv = [str(a) for a in argv] + [f"started_ns={time.monotonic_ns()}"]
    actions = [(os.POSIX_SPAWN_DUP2, theirs, 1), (os.POSIX_SPAWN_CLOSE, theirs)]
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=actions)
    os.close(theirs)
    with open(ours, encoding="utf-8") as output:
        text = output.read()
    _, status = os.waitpid(pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(argv)} ended with status {status}")
    return text.splitlines()


def report(argv):
    """A run's figures by name; what was read (`sum`, `rows`) stays text."""
    figures = dict(word.split("=") for word in lines(argv)[-1].split()[1:])
    return {name: figure if name in ("sum", "rows") else int(figure) for name, figure in figures.items()}


def count(counter, argv):
    """How many of something a whole run takes."""
    watcher, find = COUNTERS[counter]
    with tempfile.NamedTemporaryFile("r", prefix="kustomer-bench-") as file:
        argv = [word.replace("FILE", file.name) for word in watcher] + [str(a) for a in argv]
        done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ | COUNTABLE)
        found = re.search(find, file.read(), re.MULTILINE)
    if done.returncode != 0 or not found:
        sys.exit(f"{' '.join(argv)} ended with status {done.returncode}:\n{done.stderr}")
    return int(found.group(1).replace(",", ""))


def counts_a_page(jobs):
    """What a page takes, for each (counter, argv, few, many): the difference of two runs, so that the start does not
    count. Counts do not depend on what else runs: all CPUs are put to work."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [[pool.submit(count, counter, [*argv, f"pages={pages}"]) for pages in (few, many)] + [many - few] for counter, argv, few, many in jobs]
        return [(high.result() - low.result()) / pages for low, high, pages in runs]
