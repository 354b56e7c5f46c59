#!/usr/bin/env python3
"""Fails on a file of more than 600 lines, a function of more than 70, a Makefile of more than 150,
on medians of more than 150 and 13, and on words that say something is unfinished."""
import pathlib
import re
import statistics
import subprocess
import sys


def tracked(*patterns):
    return [pathlib.Path(name) for name in
            subprocess.run(["git", "ls-files", *patterns], capture_output=True, text=True,
                           check=True).stdout.split()]


def functions(lines):
    """(first line, length of the body) of everything that opens a brace at column 0."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            yield start, number - start - 1
            start = None


def medians(lengths, bodies):
    """Of C, tests aside: what most of it looks like."""
    file, function = statistics.median(lengths), statistics.median(bodies)
    print(f"median of {len(lengths)} files {file:g} lines, of {len(bodies)} functions {function:g}")
    return ["the medians are too large"] * (file > 150 or function > 13)


def main():
    faults, lengths, bodies = [], [], []
    for path in tracked("*.c", "*.h", "*.py", "*.js", "*.mjs", "*.sh"):
        lines = path.read_text().splitlines()
        if len(lines) > 600:
            faults.append(f"{path}: {len(lines)} lines")
        if path.suffix in (".c", ".h"):
            if path.parts[0] != "tests":
                lengths.append(len(lines))
                bodies += [length for _, length in functions(lines)]
            faults += [f"{path}:{start}: a function of {length} lines"
                       for start, length in functions(lines) if length > 70]
        unfinished = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X"))
        faults += [f"{path}:{number}: unfinished" for number, line in enumerate(lines, 1)
                   if re.search(rf"\b({unfinished})\b", line)]
    faults += medians(lengths, bodies)
    if len(pathlib.Path("Makefile").read_text().splitlines()) > 150:
        faults.append("Makefile: more than 150 lines")
    print("\n".join(faults), end="\n" if faults else "")
    sys.exit(1 if faults else 0)


main()
