#!/usr/bin/env python3
"""Runs every tests/system/test_*.py against one daemon binary.

    tests/system/run.py BINARY [PATTERN]

PATTERN chooses files, `test_http*.py`. The last line is `N passed, N failed`."""
import os
import pathlib
import sys
import unittest


def main():
    here = pathlib.Path(__file__).parent
    os.environ["DENOISED_BINARY"] = str(pathlib.Path(sys.argv[1]).resolve())
    pattern = sys.argv[2] if len(sys.argv) > 2 else "test_*.py"
    suite = unittest.defaultTestLoader.discover(str(here), pattern, str(here))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


main()
