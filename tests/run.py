#!/usr/bin/env python3
"""Runs every test of one build and counts: golden data, the real daemon over loopback, units.

    tests/run.py [--sanitized] BUILD [unit] [golden] [system]

As many programs at once as there are processors; then, one by one, those system tests that look at
the clock. Output of what passes is dropped, but for what took longest; the last line is
`N passed, N failed`. --sanitized, for builds that are ten times slower: small golden data. A build
of the name `thread` leaves out what has but one."""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

LIMIT_SECONDS = 1200
SLOWEST = 8  # that are named

# What cannot be had is told by NULL, in a sanitized build too: there are tests of that.
for options in ("ASAN_OPTIONS", "TSAN_OPTIONS"):
    os.environ.setdefault(options, "allocator_may_return_null=1")

# Every code path, without what only takes long.
FEW_GOLDEN = ["rng", "schedulers", "unet/class-heads", "unet/fourier-skip", "unet/legacy-ddpm",
              "unet/rectangle-gelu-learned-sigma", "unet/resnet-scale-shift",
              "pipelines/fashion/ddim-7-trailing.json",
              "pipelines/fashion/ddim-7-trailing.safetensors"]

# They promise seconds, or give a time to everything. A sanitized build is given much more of it.
ALONE = {"test_bodies.py", "test_load.py", "test_manager.py", "test_probes.py",
         "test_resources.py"}
ALONE_SANITIZED = {"test_bodies.py"}

# One thread computes in these: ThreadSanitizer, the slowest, has nothing to look for.
ONE_THREAD = {"golden", "test_selftest.py", "test_train.py"}


class Job:
    """One program of a part; `count` finds (passed, failed) in its output."""

    def __init__(self, part, command, count, alone=False):
        self.part, self.command, self.count, self.alone = part, command, count, alone
        self.passed = self.failed = 0
        self.seconds = 0.0

    def name(self):
        return " ".join(pathlib.Path(word).name for word in self.command[-2:])

    def run(self):
        start = time.monotonic()
        code, output = run(self.command)
        self.seconds = time.monotonic() - start
        self.passed, self.failed = self.count(output)
        if code != 0 and self.failed == 0:
            self.failed = 1  # a program that ends badly without having counted a failure
        return output if self.failed else ""


def run(command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=LIMIT_SECONDS, check=False)
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return -1, (late.stdout or b"").decode(errors="replace") + "\ntook too long\n"


def count_cmocka(output):
    return [sum(map(int, re.findall(pattern, output)))
            for pattern in (r"\[  PASSED  \] (\d+) test", r"\[  FAILED  \] [^\n]*?(\d+) test")]


def count_last_line(output):
    found = re.findall(r"^(\d+) passed, (\d+) failed", output, re.M)
    return map(int, found[-1]) if found else (0, 1)


def link_few(directory):
    for name in FEW_GOLDEN:
        link = pathlib.Path(directory, name)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(pathlib.Path("tests/golden", name).resolve(strict=True))


def golden_jobs(build, few_golden):
    directory = "tests/golden"
    if few_golden is not None:
        directory = few_golden
        link_few(directory)
    return [Job("golden", [f"{build}/golden", directory], count_last_line)]


def system_jobs(build, few_golden):
    alone = ALONE if few_golden is None else ALONE_SANITIZED
    files = sorted(path.name for path in pathlib.Path("tests/system").glob("test_*.py"))
    return [Job("system", [sys.executable, "tests/system/run.py", f"{build}/denoised", file],
                count_last_line, file in alone) for file in files]


def unit_jobs(build, few_golden):
    del few_golden
    programs = sorted(pathlib.Path(build, "tests/unit").rglob("test_*"))
    return [Job("unit", [str(program)], count_cmocka) for program in programs
            if not program.suffix and program.relative_to(build).with_suffix(".c").exists()]


PARTS = {"golden": golden_jobs, "system": system_jobs, "unit": unit_jobs}


def show(job, output):
    if output:
        print(f"{job.name()}\n{output}", flush=True)


def run_all(jobs):
    crowd = [job for job in jobs if not job.alone]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for job, output in zip(crowd, pool.map(Job.run, crowd)):
            show(job, output)
    for job in jobs:
        if job.alone:
            show(job, job.run())


def main():
    sanitized = "--sanitized" in sys.argv
    build, *names = [word for word in sys.argv[1:] if word != "--sanitized"]
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        few_golden = directory if sanitized else None
        jobs = [job for name, make in PARTS.items() if not names or name in names
                for job in make(build, few_golden)]
        if pathlib.Path(build).name == "thread":
            jobs = [job for job in jobs if not ONE_THREAD & {job.part, job.name().split()[-1]}]
        run_all(jobs)
    print("slowest: " + ", ".join("%s %.0f s" % (job.name(), job.seconds) for job in
                                  sorted(jobs, key=lambda job: -job.seconds)[:SLOWEST]))
    for name in PARTS:
        of_part = [job for job in jobs if job.part == name]
        if of_part:
            print("%-8s %5d passed %3d failed %7.1f s" % (
                name, sum(job.passed for job in of_part), sum(job.failed for job in of_part),
                sum(job.seconds for job in of_part)))
    print("took %.0f s" % (time.monotonic() - start))
    print("%d passed, %d failed" % (sum(job.passed for job in jobs),
                                    sum(job.failed for job in jobs)))
    sys.exit(1 if any(job.failed for job in jobs) else 0)


main()
