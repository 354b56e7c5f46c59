#!/usr/bin/env python3
"""Runs every test of one build and counts: units, golden data, the real daemon over loopback.

    tests/run.py BUILD [unit] [golden] [system]

Output of what passes is dropped; the last line is `N passed, N failed`."""
import pathlib
import re
import subprocess
import sys
import time

LIMIT_SECONDS = 1200


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
        if program.suffix:
            continue
        code, output = run([str(program)])
        good = sum(map(int, re.findall(r"\[  PASSED  \] (\d+) test", output)))
        bad = sum(map(int, re.findall(r"\[  FAILED  \] [^\n]*?(\d+) test", output)))
        counted = tally(code, f"{program}\n{output}", good, bad)
        passed, failed = passed + counted[0], failed + counted[1]
    return passed, failed


def golden(build):
    code, output = run([f"{build}/golden", "tests/golden"])
    found = re.findall(r"^(\d+) passed, (\d+) failed", output, re.M)
    good, bad = map(int, found[-1]) if found else (0, 1)
    return tally(code, output, good, bad)


def system(build):
    code, output = run([sys.executable, "tests/system/run.py", f"{build}/denoised"])
    found = re.findall(r"^(\d+) passed, (\d+) failed", output, re.M)
    good, bad = map(int, found[-1]) if found else (0, 1)
    return tally(code, output, good, bad)


PARTS = {"unit": unit, "golden": golden, "system": system}


def main():
    build, names = sys.argv[1], sys.argv[2:] or list(PARTS)
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
