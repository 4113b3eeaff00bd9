"""What the benchmarks share: interleaved timing, machine, table rows.

Two runs are timed in turns (ours, peer, peer, ours, ...), in blocks of a few
steps, so that what else the machine does hits both alike. What is reported is
the median over the blocks, with the quartiles, and the ratio of the medians.
"By pairs" is the median of the ratios of neighbouring blocks: the steadier of
the two where the machine is busy with other things as well. "Processor" is
the ratio of the medians of processor time, of all threads together.
"""

import argparse
import dataclasses
import os
import platform
import statistics
import time
from importlib import metadata

HEADER = (
    "| what | backend | ours, ms | peer, ms | ours / peer | by pairs "
    "| processor | target | steps |",
    "|---|---|---|---|---|---|---|---|---|",
)


@dataclasses.dataclass
class Pair:
    """The times of one comparison, in seconds a step, block by block.

    `processor` is the ratio of the processor time that the two took.
    """

    what: str
    backend: str
    ours: list
    peer: list
    processor: float
    steps: int
    target: float | None = None

    @property
    def ratio(self):
        return statistics.median(self.ours) / statistics.median(self.peer)

    @property
    def paired(self):
        """The ratios of blocks that were timed next to each other."""
        return [a / b for a, b in zip(self.ours, self.peer, strict=True)]

    def row(self):
        """The comparison as one row of a Markdown table."""
        cells = [
            self.what,
            self.backend,
            milliseconds(self.ours),
            milliseconds(self.peer),
            f"{self.ratio:.3f}",
            _quartiles(self.paired, 3),
            f"{self.processor:.3f}",
            "-" if self.target is None else f"<= {self.target:.2f}",
            str(self.steps),
        ]
        return "| " + " | ".join(cells) + " |"


def interleave(what, backend, ours, peer, blocks, steps, target=None):
    """Times `ours(steps)` and `peer(steps)` in turns.

    Both run that many steps and return when these are finished. One block of
    each comes first, untimed.
    """
    clocks = {ours: [], peer: []}
    for run in clocks:
        run(steps)
    for block in range(blocks):
        order = (ours, peer) if block % 2 == 0 else (peer, ours)
        for run in order:
            clocks[run].append(_timed(run, steps))
    wall, processor = (
        {run: [pair[i] for pair in clocks[run]] for run in clocks}
        for i in range(2)
    )
    pair = Pair(
        what,
        backend,
        wall[ours],
        wall[peer],
        statistics.median(processor[ours]) / statistics.median(processor[peer]),
        blocks * steps,
        target,
    )
    print(pair.row(), flush=True)
    return pair


def _timed(run, steps):
    """Seconds a step, by the clock on the wall and by the processor's."""
    wall, processor = time.perf_counter(), time.process_time()
    run(steps)
    return (
        (time.perf_counter() - wall) / steps,
        (time.process_time() - processor) / steps,
    )


def machine(packages=("keras", "tensorflow", "jax", "torch", "numpy")):
    """The machine and the versions, in one line."""
    versions = [f"Python {platform.python_version()}"]
    for package in packages:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{_cpu()}, {os.cpu_count()} cores, {platform.system()}; "
        f"{', '.join(versions)}; load average {load}"
    )


def arguments(description):
    """The command line of a single benchmark: `--quick` for a smoke run."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="a few steps only, for tests"
    )
    return parser.parse_args()


def print_header():
    """Prints the machine and the head of the table."""
    print(machine(), *["", *HEADER], sep="\n", flush=True)


def milliseconds(seconds):
    """Times in seconds as a median with quartiles, in milliseconds."""
    values = [1e3 * value for value in seconds]
    middle = statistics.median(values)
    return _quartiles(values, 1 if middle >= 10 else 2 if middle >= 1 else 3)


def _quartiles(values, digits):
    """The median, and the quartiles in brackets."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.{digits}f} ({low:.{digits}f} - {high:.{digits}f})"


def _cpu():
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return " ".join(line.split(":", 1)[1].split())
    except OSError:
        pass
    return platform.processor() or platform.machine()
