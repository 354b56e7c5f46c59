#!/usr/bin/env python3
"""Points of `mixture` and `shapes` as made again, beside those of the shipped models.

    compare.py PROGRAM OUT

Draws both with the same seeds, writes pictures of them into OUT and prints figures; exit code 1 when
the new ones are not as good. Nothing but Python is needed."""
import json
import math
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.request

SHIPPED = pathlib.Path(__file__).resolve().parents[1]
CLASSES = ["heart", "spiral", "moons", "ring", "cross", "smiley", "star", "checkerboard"]
PICTURED, MEASURED = 4000, 1000
FARTHEST = 0.01  # energy distance of a shape from the shipped one's; chance alone makes .002 to .005


class Daemon:
    """Serves the models of a directory on a port that is free."""

    def __init__(self, program, models):
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--models", models],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().split()[-1]
        deadline = time.monotonic() + 60
        while self.ask("/readyz").status != 200:
            if time.monotonic() > deadline:
                sys.exit("the daemon does not become ready")
            time.sleep(0.05)

    def ask(self, path, body=None):
        request = urllib.request.Request(self.url + path, body and json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        try:
            return urllib.request.urlopen(request)
        except urllib.error.HTTPError as answer:
            return answer

    def sample(self, **body):
        answer = self.ask("/sample", body)
        if answer.status != 200:
            raise RuntimeError(answer.read().decode())
        return answer.read()

    def points(self, **body):
        return json.loads(self.sample(format="json", **body))["points"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def energy_distance(a, b):
    """2 E|X-Y| - E|X-X'| - E|Y-Y'|, Szekely and Rizzo 2013."""
    def mean(x, y):
        return sum(math.dist(p, q) for p in x for q in y) / len(x) / len(y)
    return 2 * mean(a, b) - mean(a, a) - mean(b, b)


def sides(points):
    """Share of x + y > 0; centres and deviations of either side."""
    figures = [sum(sum(point) > 0 for point in points) / len(points)]
    for sign in (1, -1):
        side = [point for point in points if sign * sum(point) > 0]
        values = [value for point in side for value in point]
        centre = sum(values) / len(values)
        figures += [centre, math.sqrt(sum((value - centre) ** 2 for value in values) / len(values))]
    return figures


def check_mixture(daemon):
    print("\nmixture          share   centre +  sd +   centre -  sd -")
    good = True
    for kind in ("shipped", "again"):
        share, *rest = sides(daemon.points(model=f"mixture-{kind}", n=4 * PICTURED, seed=1))
        print(f"{kind:15} {share:7.4f}  " + "  ".join(f"{figure:7.3f}" for figure in rest))
        good = abs(share - 0.2) < 0.02 and all(
            abs(figure - wanted) < limit for figure, wanted, limit
            in zip(rest, (3, 1, -3, 1), (0.1, 0.05, 0.1, 0.05)))
    return good


def check_shapes(daemon):
    print("\nshapes, energy distance of     again, shipped     shipped, shipped")
    farthest = 0
    for name in CLASSES:
        one, other, again = (
            daemon.points(model=f"shapes-{kind}", n=MEASURED, seed=seed, **{"class": name})
            for kind, seed in (("shipped", 1), ("shipped", 5001), ("again", 9001)))
        distance = energy_distance(again, one)
        farthest = max(farthest, distance)
        print(f"{name:30} {distance:10.4f} {energy_distance(other, one):20.4f}", flush=True)
    return farthest < FARTHEST


def draw(daemon, out):
    for kind in ("shipped", "again"):
        (out / f"mixture-{kind}.png").write_bytes(
            daemon.sample(model=f"mixture-{kind}", n=PICTURED, seed=1, format="png"))
        for name in CLASSES:
            (out / f"{name}-{kind}.png").write_bytes(daemon.sample(
                model=f"shapes-{kind}", n=PICTURED, seed=1, format="png", **{"class": name}))
    print(f"\nPictures: {out}/*-shipped.png, {out}/*-again.png")


def main():
    program, out = sys.argv[1], pathlib.Path(sys.argv[2])
    both = out / "both"
    shutil.rmtree(both, ignore_errors=True)
    for name in ("mixture", "shapes"):
        shutil.copytree(SHIPPED / name, both / f"{name}-shipped")
        shutil.copytree(out / name, both / f"{name}-again")
    with Daemon(program, both) as daemon:
        draw(daemon, out)
        good = [check_mixture(daemon), check_shapes(daemon)]
    sys.exit(0 if all(good) else 1)


main()
