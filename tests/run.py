#!/usr/bin/env python3
"""Runs every test of one build and counts: units, golden data, the real daemon over loopback.

    tests/run.py [--few-golden] BUILD [unit] [golden] [system]

Output of what passes is dropped; the last line is `N passed, N failed`."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

LIMIT_SECONDS = 1200

# What cannot be had is told by NULL, in a sanitized build too: there are tests of that.
for options in ("ASAN_OPTIONS", "TSAN_OPTIONS"):
    os.environ.setdefault(options, "allocator_may_return_null=1")

# --few-golden, for builds that are ten times slower: every code path, without what only takes long.
FEW_GOLDEN = ["rng", "schedulers", "unet/class-heads", "unet/fourier-skip", "unet/legacy-ddpm",
              "unet/rectangle-gelu-learned-sigma", "unet/resnet-scale-shift",
              "pipelines/fashion/ddim-7-trailing.json",
              "pipelines/fashion/ddim-7-trailing.safetensors"]


def run(command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=LIMIT_SECONDS, check=False)
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return -1, (late.stdout or b"").decode(errors="replace") + "\ntook too long\n"


def tally(code, output, passed, failed):
    """A part that ends badly without having counted a failure counts as one."""
    if code != 0 and failed == 0:
        failed = 1
    if failed:
        print(output)
    return passed, failed


def unit(build):
    passed = failed = 0
    for program in sorted(pathlib.Path(build, "tests/unit").rglob("test_*")):
        source = program.relative_to(build).with_suffix(".c")
        if program.suffix or not source.exists():
            continue
        code, output = run([str(program)])
        good = sum(map(int, re.findall(r"\[  PASSED  \] (\d+) test", output)))
        bad = sum(map(int, re.findall(r"\[  FAILED  \] [^\n]*?(\d+) test", output)))
        counted = tally(code, f"{program}\n{output}", good, bad)
        passed, failed = passed + counted[0], failed + counted[1]
    return passed, failed


def link_few(directory):
    for name in FEW_GOLDEN:
        link = pathlib.Path(directory, name)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(pathlib.Path("tests/golden", name).resolve(strict=True))


def golden(build, few=False):
    with tempfile.TemporaryDirectory() as directory:
        if few:
            link_few(directory)
        code, output = run([f"{build}/golden", directory if few else "tests/golden"])
    found = re.findall(r"^(\d+) passed, (\d+) failed", output, re.M)
    good, bad = map(int, found[-1]) if found else (0, 1)
    return tally(code, output, good, bad)


def system(build):
    code, output = run([sys.executable, "tests/system/run.py", f"{build}/denoised"])
    found = re.findall(r"^(\d+) passed, (\d+) failed", output, re.M)
    good, bad = map(int, found[-1]) if found else (0, 1)
    return tally(code, output, good, bad)


def few_golden(build):
    return golden(build, few=True)


PARTS = {"unit": unit, "golden": golden, "system": system}


def main():
    arguments = [word for word in sys.argv[1:] if word != "--few-golden"]
    if "--few-golden" in sys.argv:
        PARTS["golden"] = few_golden
    build, names = arguments[0], arguments[1:] or list(PARTS)
    passed = failed = 0
    for name in names:
        start = time.monotonic()
        good, bad = PARTS[name](build)
        print(f"{name:8} {good:5} passed {bad:3} failed {time.monotonic() - start:7.1f} s",
              flush=True)
        passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
