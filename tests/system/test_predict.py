"""POST /predict: what a model says at x_t, against the mixture's formulas; grids, pictures, faults."""

import array
import base64
import json
import math
import shutil
import struct
import unittest

import daemon
import formats
import mixture
from daemon import Daemon

MODELS = None
SERVER = None
POINTS = [[0, 0], [0.25, 0.25], [1, 1], [-3, 2.5], [6, -7]]
GRID = {"from": [-4, -3], "to": [4, 3], "size": [5, 4]}


def setUpModule():
    global MODELS, SERVER
    MODELS = daemon.make_models("faces", "mixture", "exact-1d", "exact-labels", "exact-vp",
                                "exact-sub-vp", "exact-ve", "exact-ou", "exact-flow",
                                "exact-flow-annulus", "exact-consistency")
    for head in ("sample", "v_prediction"):
        daemon.write_mixture(MODELS / head, scheduler={**daemon.SCHEDULER, "prediction_type": head})
    SERVER = Daemon("--default-model", "mix", "--max-points", 1000, models=MODELS)


def tearDownModule():
    code = SERVER.stop()
    shutil.rmtree(MODELS)
    assert code == 0, code


def ask(**fields):
    return SERVER.ask("/predict", fields)


def predict(**fields):
    return ask(**fields).good()


def faults(**fields):
    return ask(**fields).faults()


class Values(unittest.TestCase):
    def check(self, values, x_t, level, kind, label=None, digits=2e-6):
        for value, x in zip(values, x_t):
            for got, wanted in zip(value, mixture.answer(x, level, label)[kind]):
                self.assertAlmostEqual(got, wanted, delta=digits * max(1, abs(wanted)))

    def test_on_a_table_all_answers_are_the_formulas(self):
        for t in (0, 249, 499, 999):
            level = mixture.level(mixture.TABLE[t])
            for kind in ("eps", "x0", "score", "v"):
                with self.subTest(kind, t=t):
                    answer = predict(x_t=POINTS, t=t, **{"as": kind})
                    self.assertAlmostEqual(answer["alpha"], level[0], places=12)
                    self.assertAlmostEqual(answer["sigma"], level[1], places=12)
                    # Straight from the head: at t = 0 eps of it is divided by little.
                    self.check(answer["values"], POINTS, level, kind, digits=2e-5 if t else 2e-3)

    def test_the_reference_points(self):
        """Two Gaussians, t = 250 and 500 counted from 1; a flow at one half."""
        for t, x, eps, x0 in ((249, 0, 0.898955, -0.856646), (249, 1, -0.806372, 2.149755),
                              (249, 0.25, -0.387487, 0.714584), (499, 0, 0.484368, -1.658543),
                              (499, 1, 0.348892, 2.372517)):
            for kind, wanted in (("eps", eps), ("x0", x0)):
                for got in predict(x_t=[[x, x]], t=t, **{"as": kind})["values"][0]:
                    self.assertAlmostEqual(got, wanted, delta=1e-5)
        answer = predict(model="exact-flow", x_t=[[0, 0], [1, 1]], t=0.5, **{"as": "velocity"})
        for got, wanted in zip(answer["values"], (1.8, -2.999853)):
            for number in got:
                self.assertAlmostEqual(number, wanted, delta=1e-5)

    def test_any_head_says_the_same(self):
        for head in ("sample", "v_prediction"):
            for kind in ("eps", "x0", "score", "v"):
                with self.subTest(head, kind=kind):
                    answer = predict(model=head, x_t=POINTS, t=300, **{"as": kind})
                    self.check(answer["values"], POINTS, mixture.level(mixture.TABLE[300]), kind,
                               digits=2e-5)

    def test_raw_is_the_head(self):
        for model, kind in (("mix", "eps"), ("sample", "x0"), ("v_prediction", "v")):
            raw, said = (predict(model=model, x_t=POINTS, t=300, **{"as": name})["values"]
                         for name in ("raw", kind))
            self.assertEqual(raw, said)

    def test_every_process_has_its_own_levels(self):
        for name in ("exact-vp", "exact-sub-vp", "exact-ve", "exact-ou", "exact-flow"):
            level = getattr(mixture, name[6:].replace("-", "_"))(0.5)
            for kind in ("eps", "x0", "score"):
                with self.subTest(name, kind=kind):
                    answer = predict(model=name, x_t=POINTS, t=0.5, **{"as": kind})
                    self.assertAlmostEqual(answer["sigma"], level[1], places=9)
                    self.check(answer["values"], POINTS, level, kind, digits=2e-5)
        answer = predict(model="exact-consistency", x_t=POINTS, t=2, **{"as": "x0"})
        self.check(answer["values"], POINTS, (1, 2), "x0", digits=1e-4)

    def test_velocity_is_that_of_the_probability_flow(self):
        """dx/dt = f x - g^2 score / 2."""
        for name, t, drift in (("exact-ou", 0.5, (-1, 2)), ("exact-vp", 0.5, (-5.025, 10.05))):
            level = getattr(mixture, name[6:])(t)
            values = predict(model=name, x_t=POINTS, t=t, **{"as": "velocity"})["values"]
            for x, value in zip(POINTS, values):
                score = mixture.answer(x, level)["score"]
                for i in (0, 1):
                    wanted = drift[0] * x[i] - drift[1] * score[i] / 2
                    self.assertAlmostEqual(value[i], wanted, delta=3e-5 * max(1, abs(wanted)))

    def test_classes_and_guidance(self):
        level = mixture.level(mixture.TABLE[500])
        x_t = [[0.5, -0.5], [1, 2]]
        answer = predict(model="exact-labels", x_t=x_t, t=500, **{"class": [0, 1]})
        for i in (0, 1):
            self.check([answer["values"][i]], [x_t[i]], level, "eps", label=i, digits=1e-5)
        self.assertEqual(answer["params"]["class"], ["upper right", "lower left"])
        guided = predict(model="exact-labels", x_t=x_t, t=500, guidance=3, **{"class": 0})
        for x, value in zip(x_t, guided["values"]):
            alone, free = (mixture.answer(x, level, label)["eps"] for label in (0, None))
            for got, a, b in zip(value, alone, free):
                self.assertAlmostEqual(got, b + 3 * (a - b), delta=2e-5)

    def test_tweedie_beats_the_scaled_point(self):
        """F1: E[x_0 | x_t] is nearer to x_0 than x_t / alpha, in the mean square."""
        n, t = 1000, 300
        data = SERVER.sample({"n": n, "seed": 1, "steps": 50}).json()["points"]
        noisy = SERVER.request("POST", "/noise", json.dumps({"x_0": data, "t": t, "seed": 5}),
                               {"Content-Type": "application/json"}).json()
        guess = predict(x_t=noisy["x_t"], t=t, **{"as": "x0"})["values"]
        errors = [sum(math.dist(a, b) ** 2 for a, b in zip(data, rows)) / n
                  for rows in (guess, [[x / noisy["alpha"] for x in row] for row in noisy["x_t"]])]
        self.assertLess(errors[0], 0.8 * errors[1])

    def test_json_f32_and_npy_are_the_same_values(self):
        values = predict(x_t=POINTS, t=100)["values"]
        flat = array.array("f", [number for row in values for number in row])
        f32 = predict(x_t=POINTS, t=100, encoding="f32")["values_f32"]
        self.assertEqual(array.array("f", base64.b64decode(f32)), flat)
        self.assertEqual(formats.read_npy(ask(x_t=POINTS, t=100, format="npy").body),
                         ((5, 2), flat))

    def test_pictures_are_rows_of_their_shape(self):
        zero = [[[0.0] * 3] * 16] * 16
        answer = ask(model="faces", x_t=[zero, zero], t=500, format="npy", **{"as": "x0"})
        self.assertEqual(formats.read_npy(answer.body)[0], (2, 16, 16, 3))
        rows = predict(model="faces", x_t=[zero], t=500, **{"as": "x0"})["values"]
        self.assertEqual([len(rows), len(rows[0]), len(rows[0][0]), len(rows[0][0][0])],
                         [1, 16, 16, 3])


class Grids(unittest.TestCase):
    def test_a_grid_is_its_points_line_by_line(self):
        points = [[-4 + 2 * i, -3 + 2 * j] for j in range(4) for i in range(5)]
        rows = predict(x_t=points, t=400, **{"as": "score"})["values"]
        answer = predict(grid=GRID, t=400, **{"as": "score"})
        self.assertEqual([row for line in answer["values"] for row in line], rows)
        self.assertEqual([len(line) for line in answer["values"]], [5] * 4)
        self.assertEqual(answer["params"]["grid"], GRID)
        self.assertEqual(answer["params"]["n"], 20)
        shape, numbers = formats.read_npy(ask(grid=GRID, t=400, format="npy",
                                              **{"as": "score"}).body)
        self.assertEqual(shape, (4, 5, 2))
        self.assertEqual(numbers, array.array("f", [x for row in rows for x in row]))

    def test_a_picture_is_darker_where_data_are_denser(self):
        """The mixture's density of t = 100: both clouds, in their proportion; white far away."""
        grid = {"from": [-8, -8], "to": [8, 8], "size": [24, 24]}
        for kind in ("x0", "velocity"):
            with self.subTest(kind):
                body = ask(grid=grid, t=100, format="png", **{"as": kind}).body
                self.check_density(*formats.read_png(body))

    def check_density(self, width, height, channels, pixels):
        self.assertEqual((width, height, channels), (512, 512, 3))

        def paper(x, y):
            """The lightest of the pixels around, between the arrows."""
            column, line = (round(46 + (x + 8) / 16 * 451), round(14 + (8 - y) / 16 * 451))
            return max(pixels[3 * (width * (line + j) + column + i)]
                       for i in range(-6, 7) for j in range(-6, 7))

        alpha, sigma = mixture.level(mixture.TABLE[100])
        there, here, far = (paper(3 * alpha * s, 3 * alpha * s) for s in (1, -1, 2.2))
        self.assertGreater(far, 250)
        # The ground covers .62 of the root of the density: the lesser cloud's is half the other's.
        self.assertAlmostEqual(255 - here, 0.62 * (255 - 38), delta=8)
        self.assertAlmostEqual(255 - there, 0.31 * (255 - 38), delta=8)

    def test_pictures_are_the_same_file_every_time(self):
        fields = {"grid": GRID, "t": 400, "as": "v", "format": "png"}
        self.assertEqual(ask(**fields).body, ask(**fields).body)

    def test_every_point_model_is_drawn(self):
        for name, t in (("exact-flow-annulus", 0.5), ("mixture", 100), ("exact-consistency", 1),
                        ("exact-ve", 1)):
            with self.subTest(name):
                body = ask(model=name, grid=GRID, t=t, format="png").body
                self.assertEqual(struct.unpack(">II", body[16:24]), (512, 512))

    def test_a_line_or_a_point_is_a_grid(self):
        for size in ([7, 1], [1, 7], [1, 1]):
            grid = {"from": [-1, -1], "to": [1, 1], "size": size}
            self.assertEqual(len(predict(grid=grid, t=5)["values"]), size[1])
            self.assertEqual(ask(grid=grid, t=5, format="png").status, 200)


class Figures(unittest.TestCase):
    def test_rows_are_counted(self):
        before = SERVER.metric("denoised_row_steps_total", sampler="predict")
        predict(x_t=POINTS[:2], t=5)
        self.assertEqual(SERVER.metric("denoised_row_steps_total", sampler="predict"), before + 2)


class Refusals(unittest.TestCase):
    def test_each_fault_points_at_its_field(self):
        good = {"x_t": [[1, 2]], "t": 500}
        for change, pointer, words in (
                ({"x_t": []}, "/x_t", "must hold 1..1000"),
                ({"x_t": [[1]]}, "/x_t/0", "must be an array of 2"),
                ({"t": 1000}, "/t", "must be 0..999"),
                ({"as": "noise"}, "/as", "must be one of eps, x0, score, v, velocity, raw"),
                ({"as": None}, "/as", "must be one of"),
                ({"class": 0}, "/class", "has no classes"),
                ({"guidance": 2}, "/guidance", "must be 1"),
                ({"seed": 1}, "/seed", "unknown field"),
                ({"grid": GRID}, "/grid", "excludes x_t"),
                ({"format": "png"}, "/format", "is of a grid"),
                ({"encoding": "png"}, "/encoding", "must be one of"),
                ({"model": "exact-flow-annulus", "t": 0.5, "as": "score"}, "/as", "N(0, I)"),
                ({"model": "exact-consistency", "t": 0.001}, "/t", "at least 0.002"),
                ({"model": "exact-1d", "grid": GRID, "x_t": [[1]]}, "/grid", "excludes x_t")):
            with self.subTest(change):
                self.assertIn(words, faults(**{**good, **change})[pointer])

    def test_each_fault_of_a_grid_points_into_it(self):
        for change, pointer, words in (
                ([1], "/grid", "must be an object"),
                ({"step/~": 1}, "/grid/step~1~0", "unknown field"),
                ({"from": [0]}, "/grid/from", "must hold two numbers"),
                ({"from": [0, "1"]}, "/grid/from/1", "must be a number"),
                ({"from": [4, -3]}, "/grid/to/0", "must be above from"),
                ({"to": [4, 1e39]}, "/grid/to/1", "must be -3.4"),
                ({"size": [5, 0]}, "/grid/size/1", "must be 1..1000"),
                ({"size": [1.5, 2]}, "/grid/size/0", "must be an integer"),
                ({"size": [40, 40]}, "/grid/size", "at most 1000 points, got 1600")):
            with self.subTest(change):
                grid = {**GRID, **change} if isinstance(change, dict) else change
                self.assertIn(words, faults(grid=grid, t=5)[pointer])
        self.assertIn("must hold", faults(grid={}, t=5)["/grid/from"])
        self.assertEqual(set(faults(grid={"at": 1, "too": 2, "from": 3}, t=5)),
                         {"/grid/at", "/grid/too", "/grid/from", "/grid/to", "/grid/size"})

    def test_pictures_hold_what_can_be_seen(self):
        fields = {"grid": {**GRID, "size": [128, 1]}, "t": 5, "as": "x0", "format": "png"}
        self.assertEqual(ask(**fields).status, 200)
        for size in ([129, 1], [1, 129]):
            fields["grid"] = {**GRID, "size": size}
            self.assertIn("at most 128 by 128", faults(**fields)["/grid/size"])
            self.assertEqual(ask(**{**fields, "format": "npy"}).status, 200)

    def test_grids_are_of_the_plane(self):
        for name in ("faces", "exact-1d"):
            self.assertIn("in the plane", faults(model=name, grid=GRID, t=5)["/grid"])

    def test_the_accept_header_chooses_among_what_can_be_made_of_these_points(self):
        wide = {**GRID, "size": [129, 1]}
        for fields, accept, wanted in (
                ({"x_t": [[1, 2]]}, "image/png", None), ({"grid": wide}, "image/png", None),
                ({"x_t": [[1, 2]]}, "image/apng, text/html", None),
                ({"x_t": [[1, 2]]}, "image/png, application/x-npy;q=0.5", "application/x-npy"),
                ({"grid": wide}, "image/png, */*;q=0.1", "application/json"),
                ({"grid": GRID}, "image/png", "image/png")):
            with self.subTest(fields, accept=accept):
                answer = SERVER.request("POST", "/predict", json.dumps({**fields, "t": 5}),
                                        {"Accept": accept})
                if wanted is not None:
                    self.assertEqual((answer.status, answer.header("Content-Type")), (200, wanted))
                    continue
                self.assertEqual((answer.status, answer.json()["code"]), (406, "not_acceptable"))
                self.assertRegex(answer.json()["detail"], "'mix': json, npy$")

    def test_what_is_missing_is_told_at_once(self):
        self.assertEqual(set(faults()), {"/x_t", "/t"})
        self.assertIn("or grid", faults(t=1)["/x_t"])

    def test_an_answer_that_is_not_finite_is_said(self):
        answer = ask(model="exact-flow", x_t=[[3e38, 3e38]], t=0.5, **{"as": "score"})
        self.assertEqual((answer.status, answer.json()["code"]), (500, "nonfinite_output"))


if __name__ == "__main__":
    unittest.main()
