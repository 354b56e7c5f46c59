"""What an answer tells of its request, `params`, is a request: asked again with it, in place of
digests what they are of, the answer is the same. And whatever one route returns another takes."""

import base64
import pathlib
import shutil
import struct
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
        for n in (1, 3):
            self.assertIn(f"must be 2, as many as rows are given, got {n}",
                          SERVER.ask("/encode", {"x_0": [[1, 2]] * 2, "n": n}).faults()["/n"])
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


class Ways(unittest.TestCase):
    """From one route to the next: as arrays, as base64, as an npy file."""

    def three(self, path, asked, name):
        """What is asked is answered in three ways: the field that each gives back, by its name."""
        plain = SERVER.ask(path, asked).good()[name]
        packed = SERVER.ask(path, {**asked, "encoding": "f32"}).good()[name + "_f32"]
        return [(name, plain), (name + "_f32", packed)]

    def file(self, path, asked):
        answer = SERVER.ask(path, {**asked, "format": "npy"})
        self.assertEqual(answer.status, 200, answer)
        return base64.b64encode(answer.body).decode()

    def check_samples(self, encoded, back):
        ways = self.three("/encode", encoded, "x_T")
        ways.append(("x_T_f32", self.file("/encode", encoded)))
        back = {"model": encoded["model"], "sampler": "ddim", **back}
        bodies = {}
        for form in ({"format": "json", "encoding": "array"}, {"format": "npy"}, {"format": "png"}):
            for name, start in ways:
                answer = SERVER.ask("/sample", {**back, **form, name: start})
                self.assertEqual(answer.status, 200, answer)
                found = (answer.body if form["format"] != "json" else
                         {key: value for key, value in answer.json().items() if key not in OWN})
                bodies.setdefault(form["format"], []).append(found)
        for form, found in bodies.items():
            self.assertTrue(all(each == found[0] for each in found), form)
        self.assertRegex(bodies["json"][0]["params"]["x_T"], "^sha256:")

    def test_what_encode_returns_sample_takes_bit_for_bit(self):
        self.check_samples({"model": "mix", "x_0": [[1.1, 2.7], [-.3, 4]], "steps": 9},
                           {"n": 2, "steps": 9})
        self.check_samples({"model": "exact-labels", "x_0": [[1.1, 2.7]], "steps": 9, "class": 1},
                           {"steps": 9, "class": 1, "guidance": 1})
        self.check_samples({"model": "faces", "init_image": PICTURE, "steps": 2}, {"steps": 2})

    def test_what_a_question_returns_the_next_takes(self):
        asked = {"x_0": [[1.1, 2.7], [-.3, 4]], "t": 300, "seed": 3}
        for name, x_t in self.three("/noise", asked, "x_t"):
            predicted = SERVER.ask("/predict", {"t": 300, name: x_t}).good()
            stepped = SERVER.ask("/step", {"t": 300, "t_next": 200, "sampler": "ddim", name: x_t})
            again = SERVER.ask("/likelihood", {name.replace("x_t", "x_0"): x_t}).good()
            if name == "x_t":
                wanted = (predicted["values"], stepped.good()["x_next"], again["nats"])
            self.assertEqual((predicted["values"], stepped.good()["x_next"], again["nats"]), wanted)
            self.assertEqual(predicted["params"]["n"], 2)
        for name, eps in self.three("/noise", asked, "eps"):
            again = SERVER.ask("/noise", {"x_0": asked["x_0"], "t": 300, name: eps}).good()
            self.assertEqual(again["x_t"], SERVER.ask("/noise", asked).good()["x_t"])
            fields = {"x_t": asked["x_0"], "t": 300, "t_next": 200, "sampler": "ddpm",
                      name.replace("eps", "noise"): eps}
            found = SERVER.ask("/step", fields).good()["x_next"]
            if name == "eps":
                moved = found
            self.assertEqual(found, moved)

    def test_an_npy_file_goes_from_route_to_route(self):
        asked = {"x_0": [[1.1, 2.7], [-.3, 4]], "t": 300, "seed": 3}
        x_t = SERVER.ask("/noise", asked).good()["x_t"]
        one = SERVER.ask("/predict", {"t": 300, "x_t": x_t}).good()
        other = SERVER.ask("/predict", {"t": 300, "x_t_f32": self.file("/noise", asked)}).good()
        self.assertEqual(one["values"], other["values"])

    def test_many_rows_are_more_than_arrays_may_hold(self):
        rows = struct.pack("<80000f", *[i / 80000 for i in range(80000)])
        answer = SERVER.ask("/noise", {"x_0_f32": base64.b64encode(rows).decode(), "t": 5, "seed": 1,
                                       "format": "npy"})
        self.assertEqual((answer.status, answer.header("X-Denoised-Seeds")[:6]), (200, "1,2,3,"))
        self.assertEqual(formats.read_npy(answer.body)[0], (40000, 2))

    def test_what_is_not_packed_well_is_a_fault_of_its_field(self):
        def packed(*numbers):
            return base64.b64encode(struct.pack("<%df" % len(numbers), *numbers)).decode()

        def file(**changes):
            header = str({"descr": "<f4", "fortran_order": False, "shape": (1, 2), **changes})
            header = header[:-1] + ", }"  # as NumPy writes it
            return base64.b64encode(b"\x93NUMPY\x01\0" + struct.pack("<H", 118) +
                                    header.ljust(117).encode() + b"\n" + bytes(8)).decode()

        for value, words in (
                (packed(1, 2, 3), "rows of 2 float32 numbers"), (packed(1), "rows of 2"),
                (packed(), "must hold n = 1 entries, got 0"), ("A", "rows of 2 float32 numbers in base64"),
                (packed(1, 2, 3, 4), "must hold n = 1 entries, got 2"),
                (packed(1, float("nan")), "number 1 is not finite"),
                (packed(float("-inf"), 1), "number 0 is not finite"),
                (packed(1, 2).replace("P", "!"), "not of base64"), ([1, 2], "in base64, got an array"),
                (1, "in base64, got 1"), (None, "got null"),
                (file(fortran_order=True), "order"), (file(descr="<i4"), "type"),
                (file(shape=(2, 1)), "shape"), (file(descr="|O8"), "type"),
                (base64.b64encode(b"\x93NUMPY\x01\0\xff\xff" + bytes(110)).decode(), "got 0")):
            with self.subTest(value):
                faults = SERVER.ask("/sample", {"x_T_f32": value, "sampler": "ddim"}).faults()
                self.assertEqual(list(faults), ["/x_T_f32"])
                self.assertIn(words, faults["/x_T_f32"])
        self.assertEqual(SERVER.ask("/sample", {"x_T_f32": file(), "sampler": "ddim"}).status, 200)
        for path, fields, pointer, words in (
                ("/sample", {"x_T": [[1, 2]]}, "/x_T_f32", "excludes x_T"),
                ("/sample", {"interpolate": {"from": 1, "to": 2, "frames": 2}}, "/x_T_f32",
                 "excludes interpolate"),
                ("/sample", {"seed": 1}, "/seed", "no use for a seed"),
                ("/noise", {"x_0": [[1, 2]], "t": 1}, "/x_0_f32", "excludes x_0"),
                ("/noise", {"eps": [[1, 2]], "t": 1}, "/eps_f32", "excludes eps"),
                ("/noise", {"seed": 1, "t": 1}, "/seed", "excludes eps"),
                ("/predict", {"grid": {"from": [0, 0], "to": [1, 1], "size": [2, 2]}, "t": 1},
                 "/grid", "excludes x_t_f32"),
                ("/step", {"x_t": [[1, 2]], "t": 1}, "/x_t_f32", "excludes x_t"),
                ("/encode", {"x_0_f32": ""}, "/x_0_f32", "must hold 1..100000 entries, got 0")):
            given = {"/sample": ["x_T_f32"], "/noise": ["x_0_f32", "eps_f32"], "/encode": [],
                     "/predict": ["x_t_f32"], "/step": ["x_t_f32"]}[path]
            answer = SERVER.ask(path, {**dict.fromkeys(given, packed(1, 2)),
                                       **({"sampler": "ddim"} if path == "/sample" else {}), **fields})
            self.assertIn(words, answer.faults()[pointer], (path, fields))

    def test_pixels_that_are_none_are_found_in_packed_values_too(self):
        rows = [0.0] * (SIDE * SIDE * 3)
        rows[5 * 3 + 1] = 2.0
        faults = SERVER.ask("/likelihood", {
            "model": "faces", "solver": "euler", "steps": 1,
            "x_0_f32": base64.b64encode(struct.pack("<768f", *rows)).decode()}).faults()
        self.assertIn("number 16 must be within", faults["/x_0_f32"])


if __name__ == "__main__":
    unittest.main()
