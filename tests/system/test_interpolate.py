"""Samples on the arc between the starts of two seeds."""

import json
import shutil
import unittest

import daemon
import formats
from daemon import Daemon

MODELS = None
SERVER = None
SIDE = 16  # of faces
WAY = {"from": 11, "to": 4294967295, "frames": 5}


def setUpModule():
    global MODELS, SERVER
    MODELS = daemon.make_models("faces", "exact-flow", "exact-flow-annulus")
    SERVER = Daemon("--default-model", "faces", "--max-n", 32, models=MODELS)


def tearDownModule():
    code = SERVER.stop()
    shutil.rmtree(MODELS)
    assert code == 0, code


def sample(**fields):
    answer = SERVER.sample(fields)
    assert answer.status == 200, answer
    return answer


def faults(**fields):
    answer = SERVER.sample(fields)
    assert answer.status == 422, answer
    return {fault["pointer"]: fault["detail"] for fault in answer.json()["errors"]}


def picture(**fields):
    return formats.read_png(sample(**fields).body)


def cell(found, index, columns):
    """A picture of a grid."""
    width, _, channels, pixels = found
    line, x = width * channels, index % columns * SIDE * channels
    first = index // columns * SIDE
    return b"".join(pixels[y * line + x:y * line + x + SIDE * channels]
                    for y in range(first, first + SIDE))


class Ends(unittest.TestCase):
    def test_the_ends_of_a_grid_are_the_plain_pictures(self):
        body = {"steps": 10, "sampler": "ddim", "class": "hat", "guidance": 2}
        answer = sample(interpolate=WAY, **body)
        self.assertEqual(answer.header("X-Denoised-Grid"), "3x2")
        self.assertEqual(answer.header("X-Denoised-Seeds"), "11,4294967295")
        found = formats.read_png(answer.body)
        self.assertEqual(cell(found, 0, 3), picture(seed=WAY["from"], **body)[3])
        self.assertEqual(cell(found, 4, 3), picture(seed=WAY["to"], **body)[3])
        self.assertEqual(len({cell(found, i, 3) for i in range(5)}), 5)

    def test_the_ends_are_plain_for_every_sampler_that_draws_nothing_else(self):
        expected = {"mix": {"ddim", "heun", "pf_ode", "greedy"},
                    "exact-flow": {"flow_euler", "flow_rk4"}, "exact-flow-annulus": {"flow_euler"}}
        for model in expected:
            listed = SERVER.get("/models/" + model).json()["samplers"]
            taken = set()
            for sampler in [each["name"] for each in listed]:
                with self.subTest(model, sampler=sampler):
                    body = {"model": model, "sampler": sampler, "steps": 12}
                    answer = SERVER.sample({**body, "interpolate": WAY})
                    if SERVER.sample(body).status == 422:
                        continue
                    if answer.status == 422:
                        fault = answer.json()["errors"][0]
                        self.assertEqual(fault["pointer"], "/interpolate")
                        self.assertIn("sampler %s" % sampler, fault["detail"])
                        self.assertIn("draws noise", fault["detail"])
                        continue
                    taken.add(sampler)
                    found = answer.json()["points"]
                    for row, seed in (0, WAY["from"]), (4, WAY["to"]):
                        plain = sample(**body, seed=seed).json()["points"]
                        self.assertEqual(plain, [found[row]])
            self.assertGreaterEqual(taken, expected[model])
            self.assertFalse(taken & {"ddpm", "euler_ancestral", "langevin"})

    def test_more_frames_between_the_same_seeds_pass_through_the_fewer(self):
        body = {"model": "mix", "sampler": "ddim", "steps": 10}
        few, many = (sample(**body, interpolate={**WAY, "frames": frames}).json()["points"]
                     for frames in (3, 9))
        for i in (0, 1, 2):
            for some, other in zip(few[i], many[4 * i]):
                self.assertAlmostEqual(some, other, delta=1e-5)

    def test_one_seed_to_itself_stands_still(self):
        found = sample(model="mix", sampler="ddim", steps=10,
                       interpolate={"from": 3, "to": 3, "frames": 2}).json()["points"]
        self.assertEqual(found[0], found[1])

    def test_a_class_may_be_given_for_each_frame(self):
        names = ["hat", "hat", None, "beard", "beard"]
        found = sample(interpolate=WAY, steps=2, sampler="ddim", format="json",
                       **{"class": names}).json()
        self.assertEqual([each["class"] for each in found["samples"]], names)


class Formats(unittest.TestCase):
    def test_json_tells_the_way_and_the_seeds_of_its_ends(self):
        found = sample(interpolate=WAY, steps=3, sampler="ddim", format="json", tag="way").json()
        self.assertEqual(found["params"]["interpolate"], WAY)
        self.assertFalse({"n", "seeds", "x_T"} & set(found["params"]))
        self.assertEqual([each["seed"] for each in found["samples"]], [11, None, None, None, 2**32 - 1])

    def test_the_recipe_repeats_it(self):
        body = {"interpolate": WAY, "steps": 3, "sampler": "ddim", "format": "json"}
        first = sample(**body).json()
        recipe = {key: value for key, value in first["params"].items() if key != "class"}
        again = sample(format="json", **recipe).json()
        self.assertEqual(again["samples"], first["samples"])

    def test_npy_has_a_row_a_frame(self):
        shape, found = formats.read_npy(sample(interpolate=WAY, steps=3, sampler="ddim",
                                               format="npy").body)
        self.assertEqual(shape, (5, SIDE, SIDE, 3))
        _, plain = formats.read_npy(sample(seed=11, steps=3, sampler="ddim", format="npy").body)
        self.assertEqual(found[:len(plain)], plain)

    def test_an_animation_runs_through_the_frames(self):
        body = {"steps": 5, "sampler": "ddim"}
        answer = sample(interpolate=WAY, format="apng", **body)
        found = formats.read_apng(answer.body)
        grid = picture(interpolate=WAY, **body)
        self.assertEqual([frame[:2] for frame in found], [(SIDE, SIDE)] * 5)
        for i, frame in enumerate(found):
            self.assertEqual(frame[3], cell(grid, i, 3))
        self.assertIn(b'"interpolate":{"from":11,"to":4294967295,"frames":5}', answer.body)

    def test_points_are_drawn_with_those_before_them(self):
        body = {"model": "mix", "steps": 20, "sampler": "ddim", "interpolate": WAY}
        frames = formats.read_apng(sample(format="apng", **body).body)
        self.assertEqual([frame[:2] for frame in frames], [(512, 512)] * 5)
        self.assertEqual(frames[-1][3], picture(format="png", **body)[3])
        self.assertEqual(frames[0][3], picture(model="mix", steps=20, sampler="ddim", seed=11,
                                               format="png")[3])

    def test_the_reverse_process_of_each_frame_may_be_had(self):
        found = sample(model="mix", interpolate=WAY, sampler="ddim", steps=4, trajectory=2).json()
        self.assertEqual(len(found["trajectory"][0]["x_t"]), 5)
        self.assertEqual(found["trajectory"][-1]["x_t"], found["points"])


class Faults(unittest.TestCase):
    def test_what_it_excludes_is_refused_at_its_field(self):
        for fields in ({"n": 5}, {"seed": 1}, {"seeds": [1]}, {"x_T": [[1, 1]], "model": "mix"}):
            with self.subTest(fields):
                pointer = "/" + next(iter(fields))
                self.assertIn("excludes interpolate", faults(interpolate=WAY, **fields)[pointer])
        found = faults(interpolate=WAY, init_image="AAAA", sampler="ddim")
        self.assertIn("excludes interpolate", found["/init_image"])

    def test_each_member_is_checked_at_its_own_place(self):
        cases = (("/interpolate", 7), ("/interpolate", None), ("/interpolate", [1, 2, 3]),
                 ("/interpolate/from", {**WAY, "from": -1}),
                 ("/interpolate/from", {**WAY, "from": 1.5}),
                 ("/interpolate/to", {**WAY, "to": 2**32}),
                 ("/interpolate/to", {**WAY, "to": "4"}),
                 ("/interpolate/to", {"from": 1, "frames": 2}),
                 ("/interpolate/frames", {**WAY, "frames": 1}),
                 ("/interpolate/frames", {**WAY, "frames": 33}),
                 ("/interpolate/frames", {**WAY, "frames": 1e300}),
                 ("/interpolate/frames", {"from": 1, "to": 2}),
                 ("/interpolate/form", {**WAY, "form": 3}))
        for pointer, value in cases:
            with self.subTest(value):
                self.assertIn(pointer, faults(interpolate=value))

    def test_all_faults_are_reported_at_once(self):
        found = faults(interpolate={"from": -1, "frames": 0, "too": 1}, n=2, seed=3)
        self.assertEqual(set(found), {"/interpolate/too", "/interpolate/from", "/interpolate/to",
                                      "/interpolate/frames", "/n", "/seed"})

    def test_twice_the_same_member_is_no_json(self):
        body = '{"interpolate":{"from":1,"to":2,"frames":3,"from":4}}'
        answer = SERVER.request("POST", "/sample", body, {"Content-Type": "application/json"})
        self.assertEqual((answer.status, answer.json()["code"]), (400, "invalid_json"))

    def test_noise_in_the_steps_is_refused_with_sampler_and_eta(self):
        found = faults(interpolate=WAY, sampler="ddim", eta=.5, model="mix")
        self.assertIn("sampler ddim with eta 0.5", found["/interpolate"])
        found = faults(interpolate=WAY, sampler="ddpm", model="mix")
        self.assertIn("sampler ddpm", found["/interpolate"])

    def test_an_animation_shows_one_thing(self):
        self.assertIn("/trajectory", faults(interpolate=WAY, sampler="ddim", format="apng",
                                            trajectory=1))

    def test_the_field_is_in_the_contract(self):
        schema = SERVER.get("/openapi.json").json()
        found = json.dumps(schema)
        self.assertIn('"interpolate"', found)


if __name__ == "__main__":
    unittest.main()
