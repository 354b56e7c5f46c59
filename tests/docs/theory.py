#!/usr/bin/env python3
"""Runs the pages of docs/theory as a reader would paste them, against a daemon on a free port.

    tests/docs/theory.py DENOISED [--write] [PAGE...]

Every ```sh block is run, the blocks of a page as one session in a folder of their own. What it prints must be the ```text block
that follows, and every picture must have the pixels of docs/theory/pictures. --write takes pictures and texts over instead. Samples
are the same on every machine by the numerics contract exact-1; where the daemon has another one, pages are run but nothing is
compared. The last line is `N passed, N failed`."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = ROOT / "docs/theory"
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.M | re.S)
PICTURE = re.compile(r"pictures/([\w.-]+\.png)")
SECONDS = 300


def pixels(path):
    """Head and lines of a PNG; how lines are filtered depends on the pixels alone."""
    data, position, head, lines = path.read_bytes(), 8, b"", b""
    while position < len(data):
        length = int.from_bytes(data[position:position + 4], "big")
        kind, body = data[position + 4:position + 8], data[position + 8:position + 8 + length]
        position += 12 + length
        head = body if kind == b"IHDR" else head
        lines += body if kind == b"IDAT" else b""
    return head, zlib.decompress(lines)


class Daemon:
    def __init__(self, program):
        self.process = subprocess.Popen([program, "serve", "--models", str(ROOT / "weights"), "--listen", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().split()[-1]
        deadline = time.monotonic() + SECONDS
        while self.get("/readyz") is None:
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit("the daemon does not become ready")
            time.sleep(0.05)

    def get(self, path):
        try:
            with urllib.request.urlopen(self.url + path, timeout=60) as answer:
                return answer.read()
        except OSError:
            return None

    def stop(self):
        self.process.terminate()
        self.process.wait()


def run(page, daemon, folder):
    """Faults of a page, and what its blocks print."""
    environment = {"PATH": f"{ROOT}:/usr/bin:/bin", "HOME": str(folder), "ROOT": str(ROOT)}
    faults, printed = [], []
    for match in BLOCK.finditer(page.read_text()):
        script = match.group(1).replace("http://127.0.0.1:8080", daemon.url)
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=environment, timeout=SECONDS,
                              capture_output=True, text=True)
        if done.returncode != 0:
            faults.append(f"exit status {done.returncode}: {done.stderr[-600:]}")
        printed.append(done.stdout)
    return faults, printed


def compare(page, folder, printed):
    said = [match.group(2) or "" for match in BLOCK.finditer(page.read_text())]
    differ = [f"prints\n{ours}where the page says\n{theirs}" for ours, theirs in zip(printed, said) if ours != theirs]
    shown = set(PICTURE.findall(page.read_text()))
    made = {path.name for path in folder.glob("*.png")}
    faults = differ + [f"{name} is shown and not made" for name in sorted(shown - made)]
    for name in sorted(shown & made):
        if not (PAGES / "pictures" / name).exists() or pixels(folder / name) != pixels(PAGES / "pictures" / name):
            faults.append(f"{name} is not docs/theory/pictures/{name}")
    return faults


def write(page, folder, printed):
    text, output = page.read_text(), iter(printed)

    def block(match):
        result = next(output)
        return "```sh\n" + match.group(1) + "```\n" + (f"\n```text\n{result}```\n" if result else "")

    page.write_text(BLOCK.sub(block, text))
    for name in PICTURE.findall(text):
        (PAGES / "pictures" / name).write_bytes((folder / name).read_bytes())


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--write"]
    pages = sorted(PAGES.glob("[0-9]*.md"))
    pages = [page for page in pages if not arguments[1:] or any(part in page.name for part in arguments[1:])]
    daemon = Daemon(arguments[0])
    exact = json.loads(daemon.get("/version"))["contract"] == "exact-1"
    failed = 0
    try:
        for page in pages:
            with tempfile.TemporaryDirectory() as name:
                folder = pathlib.Path(name)
                faults, printed = run(page, daemon, folder)
                if "--write" in sys.argv and not faults:
                    write(page, folder, printed)
                elif exact and not faults:
                    faults += compare(page, folder, printed)
            failed += bool(faults)
            print(f"{'FAIL' if faults else 'ok'} {page.name}")
            for fault in faults:
                print(f"    {fault}")
    finally:
        daemon.stop()
    print(f"{len(pages) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
