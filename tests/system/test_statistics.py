"""The reverse process over HTTP, where the answer is known: chains of two seeds to four digits, and
shares, centres and widths of many samples of a mixture whose network is exact.

The mixture: .2 N((3,3), I) + .8 N((-3,-3), I). Expected chains were computed in double, apart from
this code; expected shares were simulated in double with 400,000 samples. A share is the part of the
samples with x + y > 0; centre and width are of both coordinates on either side of that line.

DENOISED_STATISTICS=full takes 100,000 samples for each figure and the tightest tolerances; else few
enough for some seconds, and tolerances that say so."""

import math
import os
import pathlib
import shutil
import tempfile
import unittest

import daemon
import formats
from daemon import Daemon

FULL = os.environ.get("DENOISED_STATISTICS") == "full"
FULL_SAMPLES = 100_000
REQUEST_SAMPLES = 10_000  # a request has no more
VARIANTS = {  # keys that differ from exact-mixture's
    "clipped": ({}, {"clip_sample": True}),
    "labelled": ({"labels": [0, 1]}, {}),
    "demo": ({}, {"num_train_timesteps": 100}),
}

MODELS = None
SERVER = None


def setUpModule():
    global MODELS, SERVER
    MODELS = pathlib.Path(tempfile.mkdtemp(prefix="denoised-models-"))
    for name in ("exact-mixture", "mixture"):
        shutil.copytree(daemon.ROOT / "weights" / name, MODELS / name)
    for name, (config, scheduler) in VARIANTS.items():
        daemon.write_mixture(MODELS / name, dict(daemon.MIXTURE, **config),
                             dict(daemon.SCHEDULER, **scheduler))
    SERVER = Daemon("--default-model", "exact-mixture", models=MODELS)


def tearDownModule():
    code = SERVER.stop()
    shutil.rmtree(MODELS)
    assert code == 0, code


def points(body):
    """x and y by turns, of one request."""
    answer = SERVER.sample(dict(body, format="npy"))
    assert answer.status == 200, answer
    shape, numbers = formats.read_npy(answer.body)
    assert shape == (body.get("n", 1), 2), shape
    return numbers


def many_points(body, samples, seed=0):
    """The same of many samples, in as many requests as it takes."""
    numbers = []
    for first in range(0, samples, REQUEST_SAMPLES):
        n = min(REQUEST_SAMPLES, samples - first)
        numbers.extend(points(dict(body, n=n, seed=seed + first)))
    return numbers


class Side:
    """The samples of one mode."""

    def __init__(self, numbers):
        self.count = len(numbers) // 2
        self.centre = math.fsum(numbers) / len(numbers) if numbers else math.nan
        self.width = (math.sqrt(math.fsum((x - self.centre) ** 2 for x in numbers) / len(numbers))
                      if numbers else math.nan)


def sides(numbers):
    plus, minus = [], []
    for i in range(0, len(numbers), 2):
        (plus if numbers[i] + numbers[i + 1] > 0 else minus).extend(numbers[i:i + 2])
    return Side(plus), Side(minus)


def report(name, plus, minus):
    """Figures are worth reading when they are of many samples."""
    if FULL:
        total = plus.count + minus.count
        print("    %-42s n %d: share %.4f; centres %.3f / %.3f; widths %.3f / %.3f"
              % (name, total, plus.count / total, plus.centre, minus.centre, plus.width,
                 minus.width), flush=True)


def sample_count(evaluations):
    """For a figure whose samples take that many evaluations each."""
    if FULL:
        return FULL_SAMPLES
    if evaluations <= 100:
        return 1000 if daemon.SANITIZED else 4000
    return 200 if daemon.SANITIZED else 2000


def share_tolerance(p, n):
    return 3 * math.sqrt(p * (1 - p) / n) + .002


def side_tolerance(q, n):
    """By how much a mode's centre and width may be off, more than with 100,000 samples."""
    return 3 / math.sqrt(2 * q * n) - 3 / math.sqrt(2 * q * FULL_SAMPLES)


# name, request, x y of seed 0, x y of seed 1
CHAINS = [
    ("ddpm small leading 10", {"sampler": "ddpm", "steps": 10},
     [-4.291043, -2.403165, -3.734330, -3.442030]),
    ("ddpm large leading 10", {"sampler": "ddpm", "steps": 10, "variance_type": "fixed_large"},
     [-4.898600, -2.711423, -4.306330, -3.620666]),
    ("ddpm small leading 1000", {"sampler": "ddpm", "steps": 1000},
     [-2.770211, -2.076442, -4.035612, -5.054037]),
    ("ddim leading 10", {"sampler": "ddim", "steps": 10},
     [1.177681, -.348003, -1.743765, -2.071809]),
    ("ddim trailing 7", {"sampler": "ddim", "steps": 7, "spacing": "trailing"},
     [-.474258, -1.884300, -1.808115, -2.111294]),
    ("ddim linspace 10", {"sampler": "ddim", "steps": 10, "spacing": "linspace"},
     [1.864953, .304895, -1.473413, -1.808848]),
    ("ddim clip_sample leading 10", {"model": "clipped", "sampler": "ddim", "steps": 10},
     [.993497, .682883, -.820359, -.850629]),
    ("ddim eta 1 leading 10", {"sampler": "ddim", "steps": 10, "eta": 1},
     [-4.291043, -2.403165, -3.734330, -3.442030]),
    ("ddim guidance 1", {"model": "labelled", "class": 0, "sampler": "ddim", "steps": 10,
                         "guidance": 1},
     [4.240623, 2.714939, 3.509027, 3.180983]),
    ("ddim guidance 2", {"model": "labelled", "class": 0, "sampler": "ddim", "steps": 10,
                         "guidance": 2},
     [4.805575, 3.279892, 4.116309, 3.788265]),
]


class Chains(unittest.TestCase):
    def check(self, name, numbers, expected):
        for i, (number, known) in enumerate(zip(numbers, expected, strict=True)):
            self.assertLess(abs(number - known), 1e-4, "%s, number %d" % (name, i))

    def test_chains_of_two_seeds_end_where_they_must(self):
        for name, body, expected in CHAINS:
            with self.subTest(name):
                self.check(name, points(dict(body, n=2, seed=0)), expected)

    def test_json_answers_say_the_same(self):
        for name, body, expected in CHAINS:
            with self.subTest(name):
                answer = SERVER.sample(dict(body, seeds=[1, 0], n=2)).json()
                self.check(name, answer["points"][1] + answer["points"][0], expected)

    def test_eta_0_draws_no_noise_and_eta_1_does(self):
        for eta, is_equal in ((0, True), (1, False)):
            body = {"sampler": "ddim", "steps": 10, "eta": eta}
            first, again, other = (points(dict(body, seed=seed)) for seed in (5, 5, 6))
            self.assertEqual(first, again)
            self.assertNotEqual(first, other)
        plain = points({"sampler": "ddim", "steps": 10, "seed": 5})
        self.assertEqual(plain, points({"sampler": "ddim", "steps": 10, "seed": 5, "eta": 0}))
        self.assertNotEqual(plain, first)

    def test_ddim_with_eta_1_and_every_step_is_ddpm(self):
        ddim = points({"sampler": "ddim", "steps": 1000, "eta": 1, "n": 50, "seed": 0})
        ddpm = points({"sampler": "ddpm", "steps": 1000, "n": 50, "seed": 0})
        self.assertLess(max(abs(a - b) for a, b in zip(ddim, ddpm)), 1e-4)


DDPM = {"sampler": "ddpm", "steps": 1000}


def ddim(steps, eta=0, spacing="trailing"):
    return {"sampler": "ddim", "steps": steps, "eta": eta, "spacing": spacing}


# name, request, share, centres of both modes, widths of both modes; None: nothing is known
SHARES = [
    ("ddpm fixed_small", DDPM, .200, (3.00, -3.00), (1.00, 1.00)),
    ("ddpm fixed_large", dict(DDPM, variance_type="fixed_large"),
     .200, (3.00, -3.00), (1.00, 1.00)),
    ("demo, ddpm: its schedule does not reach the prior",
     {"model": "demo", "sampler": "ddpm", "steps": 100}, .3995, (2.29, -2.16), (.93, .94)),
    ("demo, ddim", {"model": "demo", "sampler": "ddim", "steps": 100},
     .4049, (1.80, -1.61), (.86, .87)),
    ("ddim trailing 10", ddim(10), .182, (2.68, -2.88), (.95, .89)),
    ("ddim trailing 50", ddim(50), .200, (2.94, -2.97), (.99, .98)),
    ("ddim trailing 1000", ddim(1000), .205, (3.00, -2.99), (1.00, 1.00)),
    ("ddim leading 10", ddim(10, spacing="leading"), .189, None, None),
    ("ddim leading 50", ddim(50, spacing="leading"), .201, None, None),
    ("ddim leading 1000", ddim(1000, spacing="leading"), .205, None, None),
    ("ddim eta .5 trailing 10", ddim(10, .5), .177, (2.69, -2.88), (.93, .87)),
    ("ddim eta .5 trailing 50", ddim(50, .5), .196, None, None),
    ("ddim eta .5 trailing 1000", ddim(1000, .5), .201, None, None),
    ("ddim eta 1 trailing 10", ddim(10, 1), .153, (2.71, -2.90), (.84, .79)),
    ("ddim eta 1 trailing 50", ddim(50, 1), .188, (2.95, -2.98), (.94, .93)),
    ("ddim eta 1 trailing 1000", ddim(1000, 1), .199, (3.00, -3.00), (1.00, 1.00)),
]

# sampler and steps, guidance, centre and width of the + mode, in which all samples end
GUIDED = [
    (DDPM, 1, 3.00, 1.00), (DDPM, 2, 3.18, .98), (DDPM, 3, 3.25, .98),
    (ddim(50, spacing="leading"), 1, 2.98, .96), (ddim(50, spacing="leading"), 2, 3.73, .81),
    (ddim(50, spacing="leading"), 3, 4.15, .78),
]


class Shares(unittest.TestCase):
    def near(self, value, expected, tolerance, what):
        self.assertLess(abs(value - expected), tolerance,
                        "%s: %.4f instead of %.4f" % (what, value, expected))

    def check_sides(self, found, q, n, centre, width):
        wider = side_tolerance(q, n)
        self.near(found.centre, centre, .03 + wider, "centre")
        self.near(found.width, width, .02 + wider, "width")

    def test_shares_centres_and_widths_of_the_mixture(self):
        for name, body, share, centres, widths in SHARES:
            n = sample_count(body["steps"])
            with self.subTest(name):
                found = sides(many_points(body, n))
                report(name, *found)
                self.near(found[0].count / n, share, share_tolerance(share, n), "share")
                for i in range(2 if centres else 0):
                    self.check_sides(found[i], (share, 1 - share)[i], n, centres[i], widths[i])

    def test_guidance_moves_the_mode_of_its_class(self):
        for body, guidance, centre, width in GUIDED:
            n = sample_count(body["steps"] * 2)
            with self.subTest(body, guidance=guidance):
                found = sides(many_points(
                    dict(body, model="labelled", guidance=guidance, **{"class": 0}), n))
                report("class 0, %s, guidance %g" % (body["sampler"], guidance), *found)
                self.assertGreater(found[0].count / n, .9999)
                self.check_sides(found[0], 1, n, centre, width)

    def test_guidance_0_is_the_run_without_a_class(self):
        body = dict(ddim(10), model="labelled", n=50, seed=0)
        self.assertEqual(points(dict(body, guidance=0, **{"class": 0})), points(body))

    def test_centres_of_ddim_come_nearer_with_more_steps(self):
        n = sample_count(100)
        errors = []
        for steps in (10, 20, 50, 100):
            plus, minus = sides(many_points(ddim(steps), n))
            errors.append(abs(plus.centre - 3) * .2 + abs(minus.centre + 3) * .8)
        self.assertEqual(errors, sorted(errors, reverse=True))


def energy_distance(a, b):
    """2 E|X-Y| - E|X-X'| - E|Y-Y'| (Szekely & Rizzo 2013), over all pairs."""

    def mean_distance(some, others):
        return math.fsum(math.dist(p, q) for p in some for q in others) / len(some) / len(others)

    return 2 * mean_distance(a, b) - mean_distance(a, a) - mean_distance(b, b)


class Trained(unittest.TestCase):
    """The shipped network, which learnt the same mixture from samples of it."""

    def test_trained_network_samples_the_mixture(self):
        n = 20_000 if FULL else 100 if daemon.SANITIZED else 1000
        plus, minus = sides(many_points({"model": "mixture"}, n))
        report("mixture", plus, minus)
        self.assertLess(abs(plus.count / n - .2), max(.015, share_tolerance(.2, n)))
        for side, q, centre in ((plus, .2, 3), (minus, .8, -3)):
            self.assertLess(abs(side.centre - centre), .1 + side_tolerance(q, n))
            self.assertLess(abs(side.width - 1), .05 + side_tolerance(q, n))

    @unittest.skipUnless(FULL, "half a minute of Python")
    def test_trained_network_is_near_the_truth_in_energy(self):
        n = 4000
        trained = many_points({"model": "mixture"}, n)
        exact = many_points(DDPM, n, seed=1_000_000)
        pairs = [list(zip(numbers[::2], numbers[1::2])) for numbers in (trained, exact)]
        distance = energy_distance(*pairs)
        print("    energy distance of mixture, n %d: %.4f" % (n, distance), flush=True)
        self.assertLess(distance, .012)


if __name__ == "__main__":
    unittest.main()
