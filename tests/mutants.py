#!/usr/bin/env python3
"""Writes each wrong formula of tests/mutants.txt into a copy of the source and counts those that
the named test finds.

    tests/mutants.py BUILD [NAME...]

BUILD holds objects of the unchanged source. A `from` that does not stand in its file exactly once,
a mutant that does not compile, a test that fails without it: each counts as failed. The last line
is `N passed, N failed`."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

SOURCES = ["Makefile", "core", "proto", "server", "clients/web", "tests/support", "tests/unit"]
TEST_SECONDS = 300


def read(path):
    """The mutants of the file: dicts of name, what, file, test, pairs."""
    mutants = []
    for block in path.read_text().split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        if not lines:
            continue
        name, what = lines[0].split(" ", 1)
        mutant = {"name": name, "what": what, "pairs": []}
        for line in lines[1:]:
            key, value = line.split(None, 1)
            if key == "from":
                mutant["pairs"].append([value, None])
            elif key == "to":
                mutant["pairs"][-1][1] = value
            else:
                mutant[key] = value
        mutants.append(mutant)
    return mutants


def mutated(text, pairs):
    for before, after in pairs:
        if text.count(before) != 1:
            raise ValueError(f"'{before}' stands {text.count(before)} times in the file")
        text = text.replace(before, after)
    return text


class Scratch:
    """A copy of the source and of its objects, in which only what changed is compiled."""

    def __init__(self, directory, build):
        self.directory, self.build = pathlib.Path(directory), build
        for name in SOURCES + [build]:
            target = self.directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", name, str(target)], check=True)

    def test_passes(self, test):
        """None when it does not compile."""
        program = f"{self.build}/{test}"
        made = subprocess.run(["make", "-s", f"BUILD={self.build}", program], cwd=self.directory,
                              capture_output=True, check=False)
        if made.returncode != 0:
            print(made.stderr.decode(errors="replace"))
            return None
        ran = subprocess.run([f"./{program}"], cwd=self.directory, capture_output=True,
                             check=False, timeout=TEST_SECONDS)
        return ran.returncode == 0

    def judge(self, mutant):
        """A sentence when it was not found."""
        path = self.directory / mutant["file"]
        text = path.read_text()
        try:
            changed = mutated(text, mutant["pairs"])
        except ValueError as fault:
            return str(fault)
        path.write_text(changed)
        passes = self.test_passes(mutant["test"])
        path.write_text(text)
        if passes is None:
            return "it does not compile"
        return f"{mutant['test']} does not see it" if passes else None


def main():
    build, names = sys.argv[1], sys.argv[2:]
    mutants = [each for each in read(pathlib.Path("tests/mutants.txt"))
               if not names or each["name"] in names]
    passed = failed = 0
    directory = tempfile.mkdtemp(prefix="denoised-mutants-")
    try:
        scratch = Scratch(directory, build)
        for test in sorted({mutant["test"] for mutant in mutants}):
            if not scratch.test_passes(test):
                print(f"FAIL {test}: fails on the unchanged source")
                failed += 1
        for mutant in mutants:
            fault = scratch.judge(mutant)
            print(f"{'FAIL' if fault else 'ok':4} {mutant['name']:4} {mutant['what']}"
                  + (f": {fault}" if fault else ""), flush=True)
            passed, failed = passed + (fault is None), failed + (fault is not None)
    finally:
        shutil.rmtree(directory)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
