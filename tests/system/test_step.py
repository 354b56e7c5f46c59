"""POST /step: one reverse step, against the samplers' formulas and against whole runs."""

import array
import base64
import math
import shutil
import unittest

import daemon
import formats
import mixture
from daemon import Daemon

MODELS = None
SERVER = None
POINTS = [[0, 0], [1, 1], [-3, 2.5]]


def setUpModule():
    global MODELS, SERVER
    MODELS = daemon.make_models("faces", "exact-labels", "exact-flow", "exact-ou", "exact-ve")
    SERVER = Daemon("--default-model", "mix", "--max-points", 100, models=MODELS)


def tearDownModule():
    code = SERVER.stop()
    shutil.rmtree(MODELS)
    assert code == 0, code


def ask(**fields):
    return SERVER.ask("/step", fields)


def step(**fields):
    return ask(**fields).good()


def faults(**fields):
    return ask(**fields).faults()


def alpha_bar(t):
    return 1.0 if t is None else mixture.TABLE[t]


class Formulas(unittest.TestCase):
    def near(self, rows, wanted, digits=5e-6):
        for row, right in zip(rows, wanted, strict=True):
            for a, b in zip(row, right, strict=True):
                self.assertAlmostEqual(a, b, delta=digits * max(1, abs(b)))

    def test_ddpm_is_the_posterior(self):
        """A5; Ho et al. 2020, eq. 6 and 7, of any pair of timesteps."""
        for t, t_next in ((1, 0), (500, 499), (999, 899), (499, 0), (0, None)):
            a, b = alpha_bar(t), alpha_bar(t_next)
            beta = 1 - a / b
            c0, ct = math.sqrt(b) * beta / (1 - a), math.sqrt(a / b) * (1 - b) / (1 - a)
            variance = (1 - b) / (1 - a) * beta
            ends = {"t": t} if t_next is None else {"t": t, "t_next": t_next}
            with self.subTest(ends):
                answer = step(x_t=POINTS, sampler="ddpm", **ends)
                known = [mixture.answer(x, mixture.level(a))["x0"] for x in POINTS]
                self.near(answer["mean"], [[c0 * d + ct * e for d, e in zip(*both)]
                                           for both in zip(known, POINTS)], 3e-5 if t else 2e-3)
                if t_next is None:
                    self.assertEqual(answer["variance"], [0] * 3)
                    self.assertEqual(answer["x_next"], answer["mean"])
                    self.assertEqual(answer["to"], {"alpha": 1, "sigma": 0})
                else:
                    for number in answer["variance"]:
                        self.assertAlmostEqual(number / variance, 1, delta=1e-9)
                    self.assertNotEqual(answer["x_next"], answer["mean"])
                self.assertAlmostEqual(answer["from"]["alpha"], math.sqrt(a), places=12)
                self.assertAlmostEqual(answer["to"]["sigma"], math.sqrt(1 - b), places=12)

    def test_large_variance_is_beta(self):
        answer = step(x_t=POINTS, t=500, t_next=499, sampler="ddpm", variance_type="fixed_large",
                      seed=1)
        beta = 1 - alpha_bar(500) / alpha_bar(499)
        self.assertAlmostEqual(answer["variance"][0] / beta, 1, delta=1e-9)
        self.assertEqual(answer["params"]["variance_type"], "fixed_large")

    def test_noise_is_added_by_the_root_of_the_variance(self):
        noise = [[1, -1], [0.5, 0], [0, 2]]
        for fields in ({"sampler": "ddpm"}, {"sampler": "ddim", "eta": 0.7},
                       {"sampler": "euler_ancestral"}):
            with self.subTest(fields):
                answer = step(x_t=POINTS, t=500, t_next=400, noise=noise, **fields)
                self.near(answer["x_next"],
                          [[m + math.sqrt(v) * z for m, z in zip(mean, row)] for mean, v, row in
                           zip(answer["mean"], answer["variance"], noise)])
                self.assertNotIn("seeds", answer["params"])

    def test_ddim(self):
        """Song et al. 2021, eq. 12 and 16."""
        a, b = alpha_bar(500), alpha_bar(400)
        for eta in (0, 0.5):
            sigma = eta * math.sqrt((1 - b) / (1 - a) * (1 - a / b))
            answer = step(x_t=POINTS, t=500, t_next=400, sampler="ddim", eta=eta)
            wanted = []
            for x in POINTS:
                known = mixture.answer(x, mixture.level(a))
                wanted.append([math.sqrt(b) * d + math.sqrt(1 - b - sigma ** 2) * e
                               for d, e in zip(known["x0"], known["eps"])])
            self.near(answer["mean"], wanted, 2e-5)
            self.assertAlmostEqual(answer["variance"][0], sigma ** 2, delta=1e-9)

    def test_samplers_keep_their_own_coordinates(self):
        """Euler walks in x_0 + sigma noise, a flow in its own time."""
        a, b = alpha_bar(500), alpha_bar(400)
        high, low = math.sqrt(1 / a - 1), math.sqrt(1 / b - 1)
        answer = step(x_t=POINTS, t=500, t_next=400, sampler="euler")
        self.assertAlmostEqual(answer["from"]["sigma"], high, delta=1e-6)
        self.assertEqual(answer["from"]["alpha"], 1)
        self.near(answer["x_next"], [[x + (low - high) * e for x, e in
                                      zip(point, mixture.answer(point, (1, high))["eps"])]
                                     for point in POINTS], 2e-5)
        answer = step(model="exact-flow", x_t=POINTS, t=0.5, t_next=0.25, sampler="flow_euler")
        self.near(answer["x_next"], [[x - 0.25 * u for x, u in
                                      zip(point, mixture.answer(point, (0.5, 0.5))["velocity"])]
                                     for point in POINTS], 2e-5)
        self.assertEqual(answer["to"], {"alpha": 0.75, "sigma": 0.25})

    def test_an_sde_is_stepped_in_its_own_time(self):
        answer = step(model="exact-ou", x_t=POINTS, t=0.5, t_next=0.4, sampler="sde_euler_maruyama",
                      seed=1)
        score = [mixture.answer(x, mixture.ou(0.5))["score"] for x in POINTS]
        self.near(answer["mean"], [[x + 0.1 * (x + 2 * s) for x, s in zip(*both)]
                                   for both in zip(POINTS, score)], 2e-5)
        self.assertAlmostEqual(answer["variance"][0], 0.2, delta=1e-9)

    def test_guidance(self):
        a, b = alpha_bar(500), alpha_bar(400)
        answer = step(model="exact-labels", x_t=POINTS, t=500, t_next=400, sampler="ddim",
                      guidance=2, **{"class": 0})
        wanted = []
        for x in POINTS:
            alone, free = (mixture.answer(x, mixture.level(a), label)["eps"] for label in (0, None))
            eps = [2 * p - q for p, q in zip(alone, free)]
            x0 = [(v - math.sqrt(1 - a) * e) / math.sqrt(a) for v, e in zip(x, eps)]
            wanted.append([math.sqrt(b) * d + math.sqrt(1 - b) * e for d, e in zip(x0, eps)])
        self.near(answer["x_next"], wanted, 5e-5)
        self.assertEqual(answer["params"]["guidance"], 2)


class Runs(unittest.TestCase):
    def test_steps_one_after_the_other_are_a_sample(self):
        run = SERVER.sample({"n": 3, "seed": 4, "sampler": "ddim", "eta": 0, "steps": 10,
                             "trajectory": 1}).json()
        frames = run["trajectory"]
        x_t, ends = frames[0]["x_t"], [int(frame["t"]) for frame in frames[:10]]
        self.assertEqual(ends, list(range(900, -1, -100)))
        for t, t_next, frame in zip(ends, ends[1:] + [None], frames[1:]):
            times = {"t": t} if t_next is None else {"t": t, "t_next": t_next}
            x_t = step(x_t=x_t, sampler="ddim", **times)["x_next"]
            self.assertEqual(x_t, frame["x_t"])
        self.assertEqual(x_t, run["points"])

    def test_seeds(self):
        together = step(x_t=POINTS, t=500, t_next=499, sampler="ddpm", seed=4294967295)
        self.assertEqual(together["params"]["seeds"], [4294967295, 0, 1])
        for i, seed in enumerate(together["params"]["seeds"]):
            alone = step(x_t=[POINTS[i]], t=500, t_next=499, sampler="ddpm", seed=seed)
            self.assertEqual(alone["x_next"], [together["x_next"][i]])
        drawn = step(x_t=POINTS, t=500, t_next=499, sampler="ddpm")
        again = step(x_t=POINTS, t=500, t_next=499, sampler="ddpm",
                     seed=drawn["params"]["seeds"][0])
        self.assertEqual(drawn["x_next"], again["x_next"])

    def test_formats(self):
        rows = step(x_t=POINTS, t=500, t_next=400, sampler="ddim")["x_next"]
        flat = array.array("f", [x for row in rows for x in row])
        coded = step(x_t=POINTS, t=500, t_next=400, sampler="ddim", encoding="f32")
        self.assertEqual(array.array("f", base64.b64decode(coded["x_next_f32"])), flat)
        self.assertEqual(coded["variance"], [0, 0, 0])
        npy = ask(x_t=POINTS, t=500, t_next=400, sampler="ddim", format="npy").body
        self.assertEqual(formats.read_npy(npy), ((3, 2), flat))

    def test_pictures(self):
        zero = [[[0.0] * 3] * 16] * 16
        answer = step(model="faces", x_t=[zero, zero], t=500, t_next=400, sampler="ddim")
        self.assertEqual([len(answer["x_next"]), len(answer["mean"][0]), len(answer["mean"][0][0])],
                         [2, 16, 16])


class Figures(unittest.TestCase):
    def test_rows_are_counted(self):
        before = SERVER.metric("denoised_row_steps_total", sampler="one_step")
        step(x_t=[[1, 2], [3, 4]], t=5)
        self.assertEqual(SERVER.metric("denoised_row_steps_total", sampler="one_step"), before + 2)


class Refusals(unittest.TestCase):
    def test_each_fault_points_at_its_field(self):
        good = {"x_t": [[1, 2]], "t": 500, "t_next": 400, "sampler": "ddpm"}
        for change, pointer, words in (
                ({"x_t": [[1]]}, "/x_t/0", "must be an array of 2"),
                ({"t": 1000}, "/t", "must be 0..999"),
                ({"t_next": 500}, "/t_next", "must be below t = 500"),
                ({"t_next": 600}, "/t_next", "must be below t = 500"),
                ({"t_next": -1}, "/t_next", "must be 0..999"),
                ({"t": 500.5}, "/t", "whole"),
                ({"sampler": "pndm"}, "/sampler", "must be one of ddpm, ddim"),
                ({"sampler": "flow_euler"}, "/sampler", "must be one of"),
                ({"sampler": "pf_ode", "t_next": None}, "/t_next", "must be a number"),
                ({"sampler": "ddim", "seed": 1}, "/seed", "draws nothing"),
                ({"sampler": "ddim", "noise": [[0, 0]]}, "/noise", "draws nothing"),
                ({"seed": 1, "noise": [[0, 0]]}, "/seed", "excludes noise"),
                ({"noise": [[0]]}, "/noise/0", "must be an array of 2"),
                ({"noise": [[0, 0], [1, 1]]}, "/noise", "n = 1"),
                ({"eta": 0.5}, "/eta", "is not an option of sampler 'ddpm'"),
                ({"steps": 10}, "/steps", "unknown field"),
                ({"spacing": "leading"}, "/spacing", "unknown field"),
                ({"class": 0}, "/class", "has no classes"),
                ({"format": "png"}, "/format", "must be one of json, npy")):
            with self.subTest(change):
                found = faults(**{**good, **change})
                self.assertIn(pointer, found)
                self.assertIn(words, found[pointer])

    def test_a_sampler_that_cannot_reach_the_data_is_the_fault(self):
        found = faults(x_t=[[1, 2]], t=500, sampler="pf_ode")
        self.assertIn("pf_ode would ask the model at", found["/sampler"])

    def test_the_first_timestep_has_no_use_for_a_seed(self):
        self.assertIn("draws nothing", faults(x_t=[[1, 2]], t=0, sampler="ddpm", seed=1)["/seed"])

    def test_what_is_missing_is_told_at_once(self):
        self.assertEqual(set(faults()), {"/x_t", "/t"})


if __name__ == "__main__":
    unittest.main()
