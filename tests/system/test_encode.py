"""POST /encode: data to the noise that makes them; /sample makes them of it again."""

import array
import base64
import json
import math
import random
import shutil
import unittest

import daemon
import formats
from daemon import Daemon

MODELS = None
SERVER = None
SIDE = 16  # of faces
POINT = [[3.2, 2.9]]


def setUpModule():
    global MODELS, SERVER
    MODELS = daemon.make_models("faces", "exact-labels", "exact-flow", "exact-vp", "exact-ve",
                                "exact-consistency")
    for head in ("sample", "v_prediction"):
        daemon.write_mixture(MODELS / head, scheduler={**daemon.SCHEDULER, "prediction_type": head})
    SERVER = Daemon("--default-model", "mix", "--max-points", 100, models=MODELS)


def tearDownModule():
    code = SERVER.stop()
    shutil.rmtree(MODELS)
    assert code == 0, code


def post(body, **headers):
    return SERVER.request("POST", "/encode", body if isinstance(body, str) else json.dumps(body),
                          {"Content-Type": "application/json", **headers})


def encode(**fields):
    answer = post(fields)
    assert answer.status == 200, answer
    return answer.json()


def sample(**fields):
    answer = SERVER.sample(fields)
    assert answer.status == 200, answer
    return answer.json()


def faults(**fields):
    answer = post(fields)
    assert answer.status == 422, answer
    return {fault["pointer"]: fault["detail"] for fault in answer.json()["errors"]}


def data(count):
    """Points of the mixture."""
    source = random.Random(5)
    return [[source.gauss(centre, 1), source.gauss(centre, 1)]
            for centre in (3 if source.random() < .2 else -3 for _ in range(count))]


def square(some, others):
    return sum((a - b) ** 2 for a, b in zip(some, others)) / len(some)


class Points(unittest.TestCase):
    def close(self, some, others, delta):
        for row, other in zip(some, others, strict=True):
            for a, b in zip(row, other, strict=True):
                self.assertAlmostEqual(a, b, delta=delta)

    def test_ddim_inversion_ends_where_diffusers_does(self):
        found = encode(x_0=POINT, steps=10)
        self.close(found["x_T"], [[1.588706, 1.242430]], 1e-4)
        self.assertEqual(found["nfe"], [10])
        self.assertNotIn("error", found)
        self.assertEqual({key: found["params"][key] for key in
                          ("sampler", "steps", "spacing", "variant", "roundtrip", "class")},
                         {"sampler": "ddim_inverse", "steps": 10, "spacing": "leading",
                          "variant": "diffusers", "roundtrip": False, "class": None})
        self.assertRegex(found["params"]["x_0"], "^sha256:[0-9a-f]{64}$")

    def test_x_T_goes_back_to_sample_and_the_error_is_what_comes_back(self):
        points = data(20)
        for asked in ({"steps": 10}, {"steps": 7, "spacing": "trailing"},
                      {"steps": 20, "variant": "paper"}, {"sampler": "pf_ode", "steps": 12},
                      {"sampler": "pf_ode", "steps": 10, "method": "rk4", "sampling_eps": .01},
                      {"sampler": "pf_ode", "method": "rk45", "rtol": 1e-3}):
            with self.subTest(asked):
                found = encode(x_0=points, roundtrip=True, **asked)
                plain = encode(x_0=points, **asked)
                self.assertEqual((found["x_T"], found["nfe"]), (plain["x_T"], plain["nfe"]))
                back = {key: value for key, value in asked.items() if key != "variant"}
                back["sampler"] = asked.get("sampler", "ddim")
                decoded = sample(model="mix", n=20, x_T=found["x_T"], **back)["points"]
                for error, row, point in zip(found["error"], decoded, points):
                    self.assertAlmostEqual(error, square(row, point), delta=1e-5 * max(1, error))

    def test_more_steps_come_back_nearer(self):
        points = data(100)
        for variant in ("diffusers", "paper"):
            means = []
            for steps in (10, 20, 50, 100, 1000):
                error = encode(x_0=points, steps=steps, spacing="trailing", variant=variant,
                               roundtrip=True)["error"]
                means.append(sum(error) / len(error))
            self.assertEqual(means, sorted(means, reverse=True), variant)
            self.assertLess(means[-1], .005)

    def test_the_probability_flow_comes_back_in_float32(self):
        error = encode(x_0=data(50), sampler="pf_ode", method="rk4", steps=50,
                       roundtrip=True)["error"]
        self.assertLess(sum(error) / len(error), 1e-6)

    def test_every_model_takes_what_runs_on_its_process(self):
        taken = {"exact-vp": ("ddim_inverse", "pf_ode"), "exact-flow": ("pf_ode",),
                 "exact-ve": ("pf_ode",), "sample": ("pf_ode",),
                 "v_prediction": ("ddim_inverse", "pf_ode")}
        for model, samplers in taken.items():
            for sampler in samplers:
                with self.subTest(model, sampler=sampler):
                    found = encode(model=model, x_0=POINT, sampler=sampler, steps=50, roundtrip=True)
                    self.assertTrue(all(map(math.isfinite, found["x_T"][0])))
                    self.assertLess(found["error"][0], .2)
        self.assertEqual(encode(model="exact-flow", x_0=POINT)["params"]["sampler"], "pf_ode")

    def test_latents_of_data_are_noise(self):
        found = encode(x_0=data(100), sampler="pf_ode", method="rk4", steps=30)["x_T"]
        numbers = [number for row in found for number in row]
        mean = sum(numbers) / len(numbers)
        self.assertLess(abs(mean), .25)
        self.assertAlmostEqual(square(numbers, [mean] * len(numbers)), 1, delta=.35)

    def test_a_row_does_not_feel_its_neighbours(self):
        points = data(10)
        for asked in ({"steps": 10}, {"sampler": "pf_ode", "method": "rk45"}):
            together = encode(x_0=points, roundtrip=True, **asked)
            for i, point in enumerate(points):
                alone = encode(x_0=[point], roundtrip=True, **asked)
                for key in ("x_T", "error", "nfe"):
                    self.assertEqual(alone[key][0], together[key][i])

    def test_a_class_is_encoded_by_its_own_model_without_guidance(self):
        body = {"model": "exact-labels", "x_0": POINT, "steps": 20}
        plain = encode(**body)["x_T"]
        found = encode(**body, **{"class": 0})
        self.assertNotEqual(found["x_T"], plain)
        self.assertNotIn("guidance", found["params"])
        both = encode(**{**body, "x_0": POINT * 2}, **{"class": [0, None]})
        self.assertEqual(both["x_T"], found["x_T"] + plain)

    def test_adaptive_rows_count_their_own_evaluations(self):
        found = encode(x_0=[[3.2, 2.9], [-3, -3.5]], sampler="pf_ode", method="rk45",
                       roundtrip=True)
        self.assertEqual(len(set(found["nfe"])), 2)
        self.assertNotIn("steps", found["params"])
        answer = post({"x_0": POINT, "sampler": "pf_ode", "method": "rk45", "max_nfe": 8})
        self.assertEqual((answer.status, answer.json()["code"]), (422, "not_converged"))


class Pictures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        made = sample(model="faces", seed=3, format="json", **{"class": "hat"})
        cls.made = made["samples"][0]["png"]

    def pixels(self, file):
        return formats.read_png(base64.b64decode(file))[3]

    def test_a_picture_comes_back_within_a_few_grey_levels(self):
        body = {"model": "faces", "class": "hat"}
        for asked, back, most in (({"steps": 100}, {"sampler": "ddim"}, 6),
                                  ({"sampler": "pf_ode", "steps": 25, "method": "rk4"},
                                   {"sampler": "pf_ode", "method": "rk4"}, 1)):
            found = encode(**body, init_image=self.made, roundtrip=True, **asked)
            self.assertEqual(len(found["error"]), 1)
            self.assertRegex(found["params"]["init_image"], "^sha256:[0-9a-f]{64}$")
            made = SERVER.sample({**body, "guidance": 1, "x_T": found["x_T"], "format": "json",
                                  "steps": asked["steps"], **back}).json()
            pairs = list(zip(self.pixels(self.made), self.pixels(made["samples"][0]["png"])))
            self.assertLess(sum(abs(a - b) for a, b in pairs) / len(pairs), most)
            # Grey levels are 2/255 of the values' range.
            mean = sum((a - b) ** 2 for a, b in pairs) / len(pairs) * (2 / 255) ** 2
            self.assertAlmostEqual(mean, found["error"][0], delta=.3 * mean + 1e-4)

    def test_values_are_taken_and_given_in_the_order_of_the_answers(self):
        image = self.pixels(self.made)
        rows = [[[[2 * image[(y * SIDE + x) * 3 + c] / 255 - 1 for c in range(3)]
                  for x in range(SIDE)] for y in range(SIDE)]]
        body = {"model": "faces", "class": "hat", "steps": 3}
        found = encode(**body, x_0=rows)["x_T"]
        other = encode(**body, init_image=self.made)["x_T"]
        flat, others = ([v for y in each[0] for x in y for v in x] for each in (found, other))
        self.assertLess(square(flat, others), 1e-10)
        packed = encode(**body, init_image=self.made, encoding="f32")
        self.assertEqual(array.array("f", base64.b64decode(packed["x_T_f32"])),
                         array.array("f", others))
        answer = post({**body, "init_image": self.made, "format": "npy"})
        self.assertEqual(answer.header("Content-Type"), "application/x-npy")
        shape, numbers = formats.read_npy(answer.body)
        self.assertEqual(shape, (1, SIDE, SIDE, 3))
        self.assertEqual(numbers, array.array("f", others))


class Answers(unittest.TestCase):
    def test_headers_name_the_model_and_no_seeds(self):
        answer = post({"x_0": POINT, "steps": 2})
        self.assertTrue(answer.header("X-Denoised-Model").startswith("mix@sha256:"))
        self.assertIsNone(answer.header("X-Denoised-Seeds"))

    def test_evaluations_are_those_of_the_way_to_x_T(self):
        for fields, wanted in (({"steps": 7}, 7), ({"sampler": "pf_ode", "steps": 7}, None),
                               ({"sampler": "pf_ode", "method": "rk45"}, None)):
            alone, there_and_back = (encode(x_0=data(3), roundtrip=way, **fields)["nfe"]
                                     for way in (False, True))
            self.assertEqual(alone, there_and_back)
            self.assertIn(wanted, (None, alone[0]))

    def test_equal_requests_give_equal_numbers(self):
        body = {"x_0": data(5), "roundtrip": True}
        first, second = (encode(**body) for _ in range(2))
        self.assertEqual((first["x_T"], first["error"]), (second["x_T"], second["error"]))

    def test_npy_of_points_by_the_accept_header(self):
        answer = post({"x_0": data(3), "steps": 2}, Accept="application/x-npy")
        self.assertEqual(formats.read_npy(answer.body)[0], (3, 2))
        self.assertEqual(post({"x_0": POINT}, Accept="image/png").status, 406)

    def test_it_is_counted(self):
        encode(x_0=POINT, steps=5, roundtrip=True)
        self.assertGreater(SERVER.metric("denoised_requests_total", route="/encode", code="200"), 0)
        self.assertGreaterEqual(
            SERVER.metric("denoised_row_steps_total", model="mix", sampler="roundtrip"), 10)


class Faults(unittest.TestCase):
    def test_both_or_neither_of_x_0_and_a_picture(self):
        self.assertIn("/x_0", faults())
        self.assertIn("init_image", faults(model="faces")["/x_0"])
        found = faults(model="faces", x_0=[[[[0, 0, 0]]]], init_image="AAAA")
        self.assertIn("excludes init_image", found["/x_0"])

    def test_another_shape_is_refused_where_it_begins(self):
        cases = (([], "/x_0"), (7, "/x_0"), ("x", "/x_0"), ({}, "/x_0"), (None, "/x_0"),
                 ([[1, 2, 3]], "/x_0/0"), ([[1, 2], [3]], "/x_0/1"), ([[1, 2], 3], "/x_0/1"),
                 ([[1, None]], "/x_0/0/1"), ([[1, "2"]], "/x_0/0/1"), ([[1, [2]]], "/x_0/0/1"),
                 ([[1, 1e39]], "/x_0/0/1"), ([[0, 0]] * 101, "/x_0"))
        for value, pointer in cases:
            with self.subTest(pointer, value=str(value)[:40]):
                self.assertEqual(set(faults(x_0=value)), {pointer})
        self.assertEqual(set(faults(model="faces", x_0=[[[[0, 0, 0]]]])), {"/x_0/0"})

    def test_numbers_that_are_none_are_no_json(self):
        for text in ("NaN", "Infinity", "-Infinity", "nan", "1e", "0x1"):
            answer = post('{"x_0":[[%s,1]]}' % text)
            self.assertEqual((answer.status, answer.json()["code"]), (400, "invalid_json"), text)

    def test_pictures_are_refused_as_sample_refuses_them(self):
        self.assertIn("makes points", faults(init_image="AAAA")["/init_image"])
        self.assertIn("not a PNG", faults(model="faces", init_image="AAAA")["/init_image"])
        self.assertIn("in base64", faults(model="faces", init_image=5)["/init_image"])

    def test_what_an_encoder_refuses_points_at_its_field(self):
        cases = (({"sampler": "ddim"}, "/sampler", "one of ddim_inverse, pf_ode"),
                 ({"sampler": "pf_ode_inverse"}, "/sampler", "one of"),
                 ({"sampler": "ddim_inverse", "model": "exact-ve"}, "/sampler",
                  "ddim_inverse needs a beta table"),
                 ({"model": "exact-consistency"}, "/sampler", "pf_ode needs"),
                 ({"model": "sample"}, "/sampler", "ddim_inverse begins at the data"),
                 ({"steps": 0}, "/steps", "1..1000"), ({"steps": 1001}, "/steps", "1..1000"),
                 ({"spacing": "linspace"}, "/spacing", "one of leading, trailing"),
                 ({"variant": "ours"}, "/variant", "one of diffusers, paper"),
                 ({"sampler": "pf_ode", "variant": "paper"}, "/variant", "not an option"),
                 ({"rtol": 1e-3}, "/rtol", "not an option"),
                 ({"sampler": "pf_ode", "rtol": 1e-3}, "/rtol", "of method rk45"),
                ({"sampler": "pf_ode", "rtol": 1e-3, "atol": 1e-3}, "/rtol", "of method rk45"),
                 ({"sampler": "pf_ode", "method": "rk45", "steps": 9}, "/steps", "chooses its steps"),
                 ({"sampler": "pf_ode", "sampling_eps": .9}, "/sampling_eps", "below 0.5"),
                 ({"sampler": "pf_ode", "method": "rk45", "max_nfe": 7}, "/max_nfe", "8.."),
                 ({"roundtrip": 1}, "/roundtrip", "true or false"),
                 ({"class": 0}, "/class", ""), ({"guidance": 1}, "/guidance", "unknown field"),
                 ({"seed": 1}, "/seed", "unknown field"), ({"n": 2}, "/n", "must be 1, as many as rows"),
                 ({"eta": 0}, "/eta", "unknown field"),
                 ({"roundtripp": True}, "/roundtripp", "did you mean 'roundtrip'"),
                 ({"format": "png"}, "/format", "json, npy"),
                 ({"encoding": "png"}, "/encoding", "f32, array"))
        for fields, pointer, words in cases:
            with self.subTest(fields):
                self.assertIn(words, faults(x_0=POINT, **fields)[pointer])

    def test_all_faults_are_reported_at_once(self):
        found = faults(x_0=7, sampler="x", steps=0, roundtrip="yes", encoding="x", seed=1)
        self.assertEqual(set(found), {"/x_0", "/sampler", "/steps", "/roundtrip", "/encoding",
                                      "/seed"})

    def test_a_class_for_each_row(self):
        self.assertIn("/class", faults(model="exact-labels", x_0=POINT, **{"class": [0, 1]}))
        self.assertIn("/class/0", faults(model="exact-labels", x_0=POINT, **{"class": [2]}))

    def test_other_methods_and_models(self):
        self.assertEqual(SERVER.get("/encode").status, 405)
        self.assertEqual(post({"model": "none", "x_0": POINT}).status, 404)
        self.assertEqual(post("{").status, 400)


if __name__ == "__main__":
    unittest.main()
