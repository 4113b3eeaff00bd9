"""Runs the lanes of the test suite, on all cores: `make test`.

    python tests/run.py [--all] [--workers N] [LANE ...]

Each job is one pytest process: some files of a lane, on one backend. The long
lanes begin first, and short jobs fill the cores to the end. What a lane takes,
and the slowest tests, are printed at the end. `--all` instead runs everything
on every backend, with the flags that the frameworks have by default.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

import lanes

ROOT = pathlib.Path(__file__).parents[1]
GIGABYTE = 2**30
# What a process may hold: programs are kept once compiled.
MEMORY = 3 * GIGABYTE
# Files in one process. More: fewer starts; fewer: less memory, better packed.
# The long jobs begin first.
FILES = {
    "agreement": 2,
    "compiled": 16,
    "values": 28,
    "rotation": 3,
    "once": 24,
}
# Small tests lose more by threads than they gain.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


@dataclasses.dataclass(frozen=True)
class Job:
    """One pytest process: a lane (`None`: all tests), a backend, files."""

    lane: str | None
    backend: str
    files: tuple

    @property
    def name(self):
        return f"{self.lane or 'all'} on {self.backend}"


@dataclasses.dataclass(frozen=True)
class Test:
    """What became of a test: `passed`, `failed` or `skipped`; core-seconds."""

    name: str
    outcome: str
    cpu: float
    why: str = ""


@dataclasses.dataclass(frozen=True)
class Result:
    """What a job took, in seconds and bytes, and its tests."""

    job: Job
    failed: bool
    output: str
    seconds: float
    cpu: float
    memory: int
    tests: tuple


def jobs_of_lanes(names):
    """The jobs of some lanes, the longest lanes first."""
    for lane in FILES:
        for backend in lanes.LANES[lane] if lane in names else ():
            found = lanes.files_of(lane, backend)
            yield from _dealt(lane, backend, found, FILES[lane])


def jobs_of_all():
    """Everything on every backend; what needs but one backend on one."""
    for backend in lanes.BACKENDS:
        found = [
            path
            for path in lanes.files()
            if lanes.place_of(path) not in ("agreement", "once")
        ]
        yield from _dealt(None, backend, found, FILES["compiled"])
    for lane in ("agreement", "once"):
        yield from jobs_of_lanes([lane])


def _dealt(lane, backend, files, size):
    """Files dealt like cards, so that each job gets some of each folder."""
    count = -(-len(files) // size)
    for i in range(count):
        yield Job(lane, backend, tuple(files[i::count]))


def run(job, default_flags=False):
    """Runs a job and waits for it."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.xml"
        arguments = [f"--lane={job.lane}"] if job.lane else []
        command = [sys.executable, "-m", "pytest", *map(str, job.files)]
        command += [
            *arguments,
            f"--junitxml={report}",
            "-p",
            "no:cacheprovider",
        ]
        environment = {
            **ENVIRONMENT,
            **os.environ,
            "KERAS_BACKEND": job.backend,
        }
        if default_flags:
            environment["KERAS_DL_TEST_FLAGS"] = "default"
        start = time.perf_counter()
        with open(pathlib.Path(folder) / "output", "w+") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            said = output.read()
        return Result(
            job,
            # 5: all tests of these files are deselected.
            process.returncode not in (0, 5) or not report.exists(),
            said,
            time.perf_counter() - start,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss * 1024,
            tuple(tests_of(report)) if report.exists() else (),
        )


def tests_of(report):
    """The tests of a JUnit report."""
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        kinds = {child.tag: child for child in case}
        outcome, why = "passed", ""
        if "failure" in kinds or "error" in kinds:
            outcome = "failed"
        elif "skipped" in kinds:
            outcome, why = "skipped", kinds["skipped"].get("message")
        cpu = case.find("properties/property[@name='cpu']")
        yield Test(
            name, outcome, 0.0 if cpu is None else float(cpu.get("value")), why
        )


def workers():
    """As many processes as cores and memory allow."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(len(os.sched_getaffinity(0)), memory // MEMORY))


def run_all(jobs, count, default_flags=False):
    """Runs jobs, `count` at a time; yields each result when it is there."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        waiting = [pool.submit(run, job, default_flags) for job in jobs]
        for done in concurrent.futures.as_completed(waiting):
            yield done.result()


def print_result(result):
    """A line for a job; all that it said if it failed."""
    counts = collections.Counter(test.outcome for test in result.tests)
    said = ", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items()))
    print(
        f"{result.job.name:24}{result.seconds:6.0f} s"
        f"{result.cpu:6.0f} core-s{result.memory / GIGABYTE:6.1f} GB   {said}",
        flush=True,
    )
    if result.failed:
        print(result.output, flush=True)


def print_summary(results, seconds):
    """Time by lane, the slowest tests, tests that ran nowhere, the counts."""
    by_lane = collections.defaultdict(float)
    for result in results:
        by_lane[result.job.name] += result.cpu
    print("\nCore-seconds by lane:")
    for name, cpu in by_lane.items():
        print(f"  {name:24}{cpu:6.0f}")
    print(f"  {'all':24}{sum(by_lane.values()):6.0f}, in {seconds:.0f} s")
    most = max(results, key=lambda result: result.memory)
    print(f"Most memory: {most.memory / GIGABYTE:.1f} GB, {most.job.name}")
    print("\nThe 15 slowest tests, in core-seconds:")
    each = [(test, result.job) for result in results for test in result.tests]
    each.sort(key=lambda pair: -pair[0].cpu)
    for test, job in each[:15]:
        print(f"  {test.cpu:6.1f}  {test.name} ({job.name})")
    nowhere = skipped_everywhere(results)
    if nowhere:
        print("\nSkipped on every backend that they ran on:")
        for name, why in nowhere.items():
            print(f"  {name}: {why}")
    for name in idle(results):
        print(f"\nNo test ran: {name}")
    counts = collections.Counter(test.outcome for test, _ in each)
    failed = counts["failed"] or sum(result.failed for result in results)
    print(
        f"\n{counts['passed']} passed, {failed} failed, "
        f"{counts['skipped']} skipped",
        flush=True,
    )


def idle(results):
    """Lanes on a backend in which no test passed."""
    busy = {r.job.name for r in results if _passed(r)}
    return sorted({r.job.name for r in results} - busy)


def _passed(result):
    return any(test.outcome == "passed" for test in result.tests)


def skipped_everywhere(results):
    """Tests that no lane ran, and why."""
    tests = [test for result in results for test in result.tests]
    ran = {test.name for test in tests if test.outcome != "skipped"}
    return {t.name: t.why for t in tests if t.name not in ran}


def main():
    """Runs what the command line asks for; fails if a test does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lanes", nargs="*", metavar="LANE", help="default: all")
    parser.add_argument("--all", action="store_true", help="on every backend")
    parser.add_argument("--workers", type=int, default=workers())
    options = parser.parse_args()
    unknown = set(options.lanes) - set(lanes.LANES)
    if unknown:
        parser.error(f"LANE must be one of {[*lanes.LANES]}, not {unknown}")
    jobs = list(
        jobs_of_all()
        if options.all
        else jobs_of_lanes(options.lanes or [*lanes.LANES])
    )
    print(f"{len(jobs)} jobs, {options.workers} at a time", flush=True)
    start, results = time.perf_counter(), []
    for result in run_all(jobs, options.workers, options.all):
        print_result(result)
        results.append(result)
    print_summary(results, time.perf_counter() - start)
    complete = options.all or not options.lanes
    failed = any(result.failed for result in results) or bool(idle(results))
    sys.exit(failed or (complete and bool(skipped_everywhere(results))))


if __name__ == "__main__":
    main()
