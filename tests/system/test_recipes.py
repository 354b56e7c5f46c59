"""What an answer tells of its request, `params`, is a request: asked again with it, in place of
digests what they are of, the answer is the same. And whatever one route returns another takes."""

import base64
import pathlib
import shutil
import unittest

import daemon
import formats
from daemon import ROOT, Daemon

MODELS = None
SERVER = None
SIDE = 16  # of faces
# Apart from what an answer says of itself.
OWN = {"id", "timing"}
PICTURE = base64.b64encode(formats.write_png(SIDE, SIDE, 3, bytes(range(256)) * 3)).decode()
MASK = base64.b64encode(formats.write_png(SIDE, SIDE, 1, bytes([0, 255] * 128))).decode()


def setUpModule():
    global MODELS, SERVER
    exact = [path.name for path in pathlib.Path(ROOT / "weights").glob("exact-*")]
    MODELS = daemon.make_models("faces", "mixture", "shapes", "ncsn-toy", "two-gaussians-demo", *exact)
    SERVER = Daemon("--default-model", "mix", models=MODELS)


def tearDownModule():
    code = SERVER.stop()
    shutil.rmtree(MODELS)
    assert code == 0, code


def again(asked, answer):
    """The request that the answer tells, with what was given in place of its digest."""
    params = {key: asked[key] if isinstance(value, str) and value.startswith("sha256:") else value
              for key, value in answer["params"].items()}
    form = {key: asked[key] for key in ("format", "encoding") if key in asked}
    return {**params, **form, "model": "%(name)s@%(digest)s" % answer["model"]}


class Recipes(unittest.TestCase):
    def check(self, path, **asked):
        """False where it is refused: not every model is asked everything, not every walk ends."""
        first = SERVER.ask(path, asked)
        if first.status != 200:
            self.assertIn(first.json()["code"], ("invalid_parameter", "nonfinite_output"), asked)
            return False
        first = first.json()
        second = SERVER.ask(path, again(asked, first))
        self.assertEqual(second.status, 200, (path, asked, second.body))
        for key in set(first) | set(second.json()):
            if key not in OWN:
                self.assertEqual(first.get(key), second.json().get(key), (path, asked, key))
        self.assertIn("frames" if "interpolate" in asked else "n",
                      first["params"].get("interpolate", first["params"]), path)
        return True

    def test_of_every_sampler_of_every_model(self):
        sampled = 0
        for model in SERVER.get("/models").json()["models"]:
            points = len(model["shape"]) == 1
            for sampler in model["samplers"]:
                few = [option["name"] for option in sampler["options"]
                       if option["name"] in ("steps_per_level", "correct_steps")]
                asked = {"model": model["name"], "sampler": sampler["name"], "n": 2,
                         "format": "json", **dict.fromkeys(few, 1), **({} if points else {"steps": 4})}
                sampled += self.check("/sample", **asked)
                if not points:
                    continue
                start = [[.5 + i] * model["shape"][0] for i in range(2)]
                self.check("/sample", **asked, x_T=start)
                self.check("/sample", **asked, steps=4, trajectory=2, seed=4)
                self.check("/sample", **asked, method="rk45")
                del asked["n"]
                self.check("/sample", **asked, interpolate={"from": 1, "to": 2, "frames": 3})
        self.assertGreater(sampled, 190)

    def test_of_classes_and_pictures(self):
        asked = {"model": "faces", "n": 2, "steps": 2, "format": "json", "sampler": "ddim"}
        for more in ({"class": ["hat", None]}, {"class": "hat"}, {"class": 1, "guidance": 0},
                     {"class": [None, None]}, {"seeds": [7, 4294967295]}, {"tag": "\u00e9t\u00e9"},
                     {"init_image": PICTURE}, {"init_image": PICTURE, "strength": .7},
                     {"init_image": PICTURE, "mask": MASK}):
            self.assertTrue(self.check("/sample", **asked, **more), more)
        del asked["n"]
        for more in ({"encoding": "f32"}, {"encoding": "array"}):
            self.assertTrue(self.check("/sample", **asked, **more), more)

    def test_of_every_question_to_every_model(self):
        taken = 0
        for model in SERVER.get("/models").json()["models"]:
            if len(model["shape"]) > 1:
                continue
            x = [[.3 + .1 * i] * model["shape"][0] for i in range(3)]
            name = {"model": model["name"]}
            table = SERVER.get("/models/%(model)s/schedule" % name).json()["betas"]
            t = 400 if table else .5
            asked = [("/noise", {"x_0": x, "t": t, **more})
                     for more in ({}, {"chain": True}, {"eps": x}, {"seeds": [9, 0, 4]})]
            asked += [("/predict", {"t": t, **more})
                      for more in ({"x_t": x}, {"x_t": x, "as": "raw"},
                                   {"grid": {"from": [-1, -1], "to": [1, 1], "size": [3, 2]}})]
            asked += [("/step", {"x_t": x, "t": t, "sampler": sampler["name"], **more})
                      for sampler in model["samplers"]
                      for more in ({}, {"t_next": t / 2}, {"t_next": t / 2, "noise": x},
                                   {"seeds": [9, 0, 4]})]
            asked += [("/encode", {"x_0": x, "sampler": sampler, **more})
                      for sampler in ("ddim_inverse", "pf_ode")
                      for more in ({}, {"roundtrip": True, "steps": 5}, {"method": "rk45"})]
            asked += [("/likelihood", {"x_0": x, **more})
                      for more in ({}, {"trace": "hutchinson"}, {"solver": "rk4", "steps": 9},
                                   {"method": "elbo"}, {"method": "elbo", "terms": False})]
            for path, fields in asked:
                taken += self.check(path, **name, **fields)
        self.assertGreater(taken, 600)

    def test_of_pictures_that_are_asked_about(self):
        for path, fields in (("/noise", {"t": 5}), ("/encode", {"steps": 2, "class": "hat"}),
                             ("/likelihood", {"solver": "euler", "steps": 1, "probes": 1})):
            self.assertTrue(self.check(path, model="faces", init_image=PICTURE, **fields), path)

    def test_rows_may_be_counted_by_the_request(self):
        self.assertIn("must be 2, as many as rows are given, got 3",
                      SERVER.ask("/encode", {"x_0": [[1, 2]] * 2, "n": 3}).faults()["/n"])
        faults = SERVER.ask("/noise", {"x_0": [[1, 2]] * 2, "t": 1, "n": 0, "seeds": [1]}).faults()
        self.assertEqual(set(faults), {"/n", "/seeds"})

    def test_a_seed_that_nobody_feels_is_not_told(self):
        answer = SERVER.ask("/sample", {"x_T": [[1, 2]], "sampler": "ddim", "steps": 2})
        self.assertNotIn("seeds", answer.good()["params"])
        self.assertIsNone(answer.header("X-Denoised-Seeds"))
        start = [[[[0, 0, 0]] * SIDE] * SIDE]
        answer = SERVER.ask("/sample", {"model": "faces", "x_T": start, "sampler": "ddim",
                                        "steps": 1, "format": "json"}).good()
        self.assertIsNone(answer["samples"][0]["seed"])


if __name__ == "__main__":
    unittest.main()
