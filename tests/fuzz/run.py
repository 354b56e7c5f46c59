#!/usr/bin/env python3
"""Runs every fuzzer for some seconds, as many at once as there are cores.

    tests/fuzz/run.py BUILD SECONDS

tests/fuzz/corpus/NAME is where fuzz_NAME starts; what it finds goes to BUILD/corpus/NAME, what breaks
it to BUILD/NAME-crash-... . The last line is `N passed, N failed`."""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).parent


def fuzz(build, name, seconds):
    """(passed, the line to print): one fuzzer, in its time."""
    found = build / "corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    command = [build / "tests/fuzz" / f"fuzz_{name}", f"-max_total_time={seconds}", "-timeout=25",
               "-rss_limit_mb=2048", "-verbosity=0", "-print_final_stats=1",
               f"-artifact_prefix={build}/{name}-", found, HERE / "corpus" / name]
    try:
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=seconds + 120, check=False)
        code, output = done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired:
        return False, f"fuzz_{name}: did not end"
    stats = dict(re.findall(r"^stat::(\w+):\s+(\d+)", output, re.M))
    if code != 0 or "number_of_executed_units" not in stats:
        return False, f"{output[-12000:]}\nfuzz_{name}: failed"
    return True, "fuzz_%-12s %9s runs %7s runs/s %5d inputs kept" % (
        name, stats["number_of_executed_units"], stats["average_exec_per_sec"],
        len(list(found.iterdir())))


def main():
    build, seconds = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    names = [path.stem[len("fuzz_"):] for path in sorted(HERE.glob("fuzz_*.c"))]
    passed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for good, line in pool.map(lambda name: fuzz(build, name, seconds), names):
            print(line, flush=True)
            passed += good
    print(f"{passed} passed, {len(names) - passed} failed")
    sys.exit(passed != len(names))


main()
