"""Run a command line and watch all its processes: seconds, seconds of processor time, memory. Linux, from ``/proc``.

Processes of a pool are no children that the command waits for, so what the system adds up for it would leave them out.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

EVERY_S = 0.25
MEMORY_EVERY = 6  # looks: to add up pages takes the processor from what is measured
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Watched:
    """What a command took: seconds, seconds of processor time and most bytes of memory of all its processes; what it printed."""

    seconds: float
    cpu: float
    peak: int
    out: str


def processes(pid: int) -> list[int]:
    """A process and all that came of it."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        try:
            waiting += [int(p) for p in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
        except OSError:
            continue
    return found


def memory_of(pid: int) -> int:
    """Bytes of memory of a process (proportional share, so that shared pages count once)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def cpu_of(pid: int) -> float:
    """Seconds of processor time a process has used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def watched(command: list[str]) -> Watched:
    """Run a command to its end. SystemExit where it fails. Of a process that ends, up to ``EVERY_S`` of its time is missed."""
    used: dict[int, float] = {}
    peak, looks, done = 0, 0, threading.Event()
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def watch() -> None:
        nonlocal peak, looks
        while not done.wait(EVERY_S):
            there = processes(process.pid)
            if looks % MEMORY_EVERY == 0:
                peak = max(peak, sum(map(memory_of, there)))
            looks += 1
            for one in there:
                used[one] = max(used.get(one, 0.0), cpu_of(one))

    watcher = threading.Thread(target=watch)
    watcher.start()
    out, _ = process.communicate()
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"exit {process.returncode}: {' '.join(command)}")
    return Watched(seconds, sum(used.values()), peak, out)
