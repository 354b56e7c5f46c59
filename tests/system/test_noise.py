"""POST /noise: x_t = alpha x_0 + sigma eps, in one shot or step by step, and what is refused."""

import array
import base64
import math
import random
import shutil
import struct
import unittest

import daemon
import formats
import mixture
from daemon import Daemon

MODELS = None
SERVER = None
SIDE = 16  # of faces
EXACT = ("exact-vp", "exact-sub-vp", "exact-ve", "exact-ou", "exact-flow")


def setUpModule():
    global MODELS, SERVER
    MODELS = daemon.make_models("faces", "exact-1d", "exact-ve-linear", "exact-consistency",
                                "exact-flow-annulus", *EXACT)
    daemon.write_mixture(MODELS / "finite", scheduler={
        "_class_name": "DenoisedProcess", "process": "ou_finite", "prediction_type": "sample"})
    daemon.write_mixture(MODELS / "long", scheduler=dict(
        daemon.SCHEDULER, num_train_timesteps=100000, beta_start=1e-6, beta_end=2e-4))
    SERVER = Daemon("--default-model", "mix", "--max-points", 5000, models=MODELS)


def tearDownModule():
    code = SERVER.stop()
    shutil.rmtree(MODELS)
    assert code == 0, code


def ask(**fields):
    return SERVER.ask("/noise", fields)


def noise(**fields):
    return ask(**fields).good()


def faults(**fields):
    return ask(**fields).faults()


def flat(rows):
    return [number for row in rows for number in row]


def image(seed=0):
    """Bytes of a picture of faces' size, and the file in base64."""
    pixels = random.Random(seed).randbytes(SIDE * SIDE * 3)
    return pixels, base64.b64encode(formats.write_png(SIDE, SIDE, 3, pixels)).decode()


class OneShot(unittest.TestCase):
    DATA = [[3.25, 3], [-2.5, -3.5], [0, 0.125]]

    def check(self, answer, level, data=None):
        self.assertAlmostEqual(answer["alpha"], level[0], delta=1e-12 + 1e-9 * abs(level[0]))
        self.assertAlmostEqual(answer["sigma"], level[1], delta=1e-12 + 1e-9 * abs(level[1]))
        for x_0, x_t, eps in zip(flat(data or self.DATA), flat(answer["x_t"]), flat(answer["eps"])):
            wanted = level[0] * x_0 + level[1] * eps
            self.assertAlmostEqual(x_t, wanted, delta=1e-6 * max(1, abs(wanted)))

    def test_on_a_table_the_levels_are_those_of_diffusers(self):
        for t in (0, 1, 249, 500, 999):
            answer = noise(x_0=self.DATA, t=t, seed=1)
            self.check(answer, mixture.level(mixture.TABLE[t]))

    def test_between_timesteps_sigma_over_alpha_runs_linearly(self):
        ends = [math.sqrt(1 / mixture.TABLE[t] - 1) for t in (400, 401)]
        sigma = ends[0] + 0.25 * (ends[1] - ends[0])
        self.check(noise(x_0=self.DATA, t=400.25, seed=1), mixture.level(1 / (1 + sigma ** 2)))

    def test_every_process_has_its_own_levels(self):
        for name in EXACT:
            for t in (0.125, 0.5, 1):
                with self.subTest(name, t=t):
                    level = getattr(mixture, name[6:].replace("-", "_"))(t)
                    self.check(noise(model=name, x_0=self.DATA, t=t, seed=1), level)
        for name, t, level in (("exact-ou", 5, mixture.ou(5)), ("finite", 0.5, (0.5, 0.75 ** 0.5)),
                               ("exact-ve-linear", 0.25, (1, 5)), ("exact-consistency", 80, (1, 80))):
            with self.subTest(name, t=t):
                self.check(noise(model=name, x_0=self.DATA, t=t, seed=1), level)

    def test_given_noise_is_taken_as_it_is(self):
        eps = [[1, -1], [0.5, 2], [0, 0]]
        answer = noise(x_0=self.DATA, t=500, eps=eps)
        self.assertEqual(answer["eps"], eps)
        self.check(answer, mixture.level(mixture.TABLE[500]))
        self.assertNotIn("seeds", answer["params"])
        self.assertRegex(answer["params"]["eps"], "^sha256:[0-9a-f]{64}$")

    def test_drawn_noise_that_is_given_back_makes_the_same_bits(self):
        drawn = noise(x_0=self.DATA, t=700, seed=5)
        self.assertEqual(noise(x_0=self.DATA, t=700, eps=drawn["eps"])["x_t"], drawn["x_t"])

    def test_row_i_draws_by_seed_plus_i(self):
        together = noise(x_0=self.DATA, t=500, seed=4294967295)
        self.assertEqual(together["params"]["seeds"], [4294967295, 0, 1])
        for i, seed in enumerate(together["params"]["seeds"]):
            alone = noise(x_0=[self.DATA[i]], t=500, seed=seed)
            self.assertEqual(alone["x_t"], [together["x_t"][i]])
            self.assertEqual(alone["eps"], [together["eps"][i]])

    def test_a_seed_that_is_not_given_is_drawn_and_told(self):
        answer = noise(x_0=self.DATA, t=500)
        again = noise(x_0=self.DATA, t=500, seed=answer["params"]["seeds"][0])
        self.assertEqual(answer["x_t"], again["x_t"])

    def test_a_flow_from_an_annulus_goes_to_its_base(self):
        answer = noise(model="exact-flow-annulus", x_0=[[2, -1]] * 50, t=1, seed=0)
        self.assertEqual((answer["alpha"], answer["sigma"]), (0, 1))
        for x, y in answer["x_t"]:
            self.assertTrue(4 - 1e-5 <= math.hypot(x, y) <= 5 + 1e-5)

    def test_drawn_noise_is_normal(self):
        n = 5000
        eps = flat(noise(x_0=[[0, 0]] * n, t=500, seed=9, format="json")["eps"])
        mean = sum(eps) / len(eps)
        variance = sum(e * e for e in eps) / len(eps)
        self.assertLess(abs(mean), 3 / math.sqrt(2 * n))
        self.assertLess(abs(variance - 1), 3 * math.sqrt(2 / (2 * n)))


class Chain(unittest.TestCase):
    def moments(self, n=4000, **fields):
        answer = noise(x_0=[[2, -2]] * n, seed=3, chain=True, **fields)
        columns = list(zip(*answer["x_t"]))
        means = [sum(column) / n for column in columns]
        return answer, means, [sum((x - mean) ** 2 for x in column) / n
                               for column, mean in zip(columns, means)]

    def check(self, level, n=4000, **fields):
        """Means and variances within 4 standard errors of those of one shot."""
        answer, means, variances = self.moments(n, **fields)
        self.assertAlmostEqual(answer["sigma"], level[1], places=9)
        for mean, variance, x_0 in zip(means, variances, (2, -2)):
            self.assertLess(abs(mean - level[0] * x_0), 4 * level[1] / math.sqrt(n))
            self.assertLess(abs(variance / level[1] ** 2 - 1), 4 * math.sqrt(2 / n))
        for (x, y), (a, b) in zip(answer["x_t"], answer["eps"]):
            self.assertAlmostEqual(x, 2 * level[0] + level[1] * a, delta=2e-6 * max(1, abs(x)))
            self.assertAlmostEqual(y, -2 * level[0] + level[1] * b, delta=2e-6 * max(1, abs(y)))

    def test_a_chain_ends_where_one_shot_does(self):
        self.check(mixture.level(mixture.TABLE[999]), n=1000, t=999)
        self.check(mixture.level(mixture.TABLE[20]), t=20)

    def test_other_processes_have_chains_too(self):
        for name, t, level in (("finite", 0.5, (0.5, 0.75 ** 0.5)), ("exact-ve-linear", 1, (1, 10)),
                               ("exact-ou", 1, mixture.ou(1)), ("exact-flow", 0.5, (0.5, 0.5)),
                               ("exact-sub-vp", 0.5, mixture.sub_vp(0.5))):
            with self.subTest(name):
                self.check(level, n=1000, model=name, t=t)

    def test_the_first_step_of_a_chain_is_one_shot(self):
        one, chain = (noise(x_0=[[1, 2]], t=0, seed=8, chain=chain) for chain in (False, True))
        for a, b in zip(flat(one["x_t"]), flat(chain["x_t"])):
            self.assertAlmostEqual(a, b, delta=1e-6)

    def test_a_chain_of_an_annulus_is_refused(self):
        found = faults(model="exact-flow-annulus", x_0=[[2, -1]], t=0.5, chain=True)
        self.assertIn("must be false", found["/chain"])


class Pictures(unittest.TestCase):
    def test_a_picture_is_its_values(self):
        pixels, text = image()
        values = [2 * byte / 255 - 1 for byte in pixels]
        lines = [values[i:i + 3 * SIDE] for i in range(0, len(values), 3 * SIDE)]
        x_0 = [[line[i:i + 3] for i in range(0, len(line), 3)] for line in lines]
        by_file = noise(model="faces", init_image=text, t=300, seed=2, encoding="f32")
        by_values = noise(model="faces", x_0=[x_0], t=300, seed=2, encoding="f32")
        self.assertEqual(by_file["eps_f32"], by_values["eps_f32"])
        x_t, eps = (array.array("f", base64.b64decode(by_file[key]))
                    for key in ("x_t_f32", "eps_f32"))
        for a, b in zip(x_t, array.array("f", base64.b64decode(by_values["x_t_f32"]))):
            self.assertAlmostEqual(a, b, delta=3e-7)
        alpha, sigma = by_file["alpha"], by_file["sigma"]
        self.assertAlmostEqual(alpha * alpha + sigma * sigma, 1)
        for wanted, value, e in zip(x_t, values, eps):
            self.assertAlmostEqual(alpha * value + sigma * e, wanted, delta=1e-6)

    def test_json_npy_and_png_are_the_same_values(self):
        _, text = image(1)
        fields = {"model": "faces", "init_image": text, "t": 100, "seed": 2}
        f32 = array.array("f", base64.b64decode(noise(**fields, encoding="f32")["x_t_f32"]))
        arrays = noise(**fields)["x_t"]
        self.assertEqual(array.array("f", [c for picture in arrays for line in picture
                                           for pixel in line for c in pixel]), f32)
        shape, npy = formats.read_npy(ask(**fields, format="npy").body)
        self.assertEqual((shape, npy), ((1, SIDE, SIDE, 3), f32))
        width, height, channels, pixels = formats.read_png(ask(**fields, format="png").body)
        self.assertEqual((width, height, channels), (SIDE, SIDE, 3))
        for byte, value in zip(pixels, f32):
            self.assertLessEqual(abs(byte - min(max((value + 1) * 127.5, 0), 255)), 0.51)

    def test_points_are_drawn_as_a_scatter(self):
        answer = ask(x_0=[[3, 3]] * 9, t=100, seed=2, format="png")
        self.assertEqual(struct.unpack(">II", answer.body[16:24]), (512, 512))
        self.assertEqual(answer.header("x-denoised-seeds"), "2,3,4,5,6,7,8,9,10")


class Refusals(unittest.TestCase):
    def test_a_chain_that_nobody_could_interrupt_is_refused(self):
        self.assertEqual(faults(model="long", x_0=[[1, 2]] * 200, t=99999, chain=True), {
            "/chain": "has 100000 steps here, too many to walk for 200 rows in one request: "
                      "167 at most"})
        self.assertEqual(ask(model="long", x_0=[[1, 2]] * 200, t=99, chain=True).status, 200)

    def test_noise_that_no_float32_holds_is_none(self):
        for model, t in (("exact-flow", 5e-324), ("exact-sub-vp", 1e-310), ("exact-ou", 1e-320)):
            for chain in (False, True):
                detail = faults(model=model, x_0=[[1, 2]], t=t, chain=chain)["/t"]
                self.assertIn("is so small that there is no noise", detail)

    def test_each_fault_points_at_its_field(self):
        good = {"x_0": [[1, 2]], "t": 500}
        for change, pointer, words in (
                ({"x_0": None}, "/x_0", "must be an array"),
                ({"x_0": []}, "/x_0", "must hold 1..5000"),
                ({"x_0": [[0, 0]] * 5001}, "/x_0", "must hold 1..5000"),
                ({"x_0": [[1, 2, 3]]}, "/x_0/0", "must be an array of 2"),
                ({"x_0": [[1, 2], [3]]}, "/x_0/1", "must be an array of 2"),
                ({"x_0": [[1, "2"]]}, "/x_0/0/1", "must be a number"),
                ({"x_0": [[1, 1e39]]}, "/x_0/0/1", "within float32"),
                ({"x_0": [[1, None]]}, "/x_0/0/1", "must be a number"),
                ({"t": 1000}, "/t", "must be 0..999, got 1000"),
                ({"t": -0.5}, "/t", "must be 0..999"),
                ({"t": "500"}, "/t", "must be a number"),
                ({"t": None}, "/t", "must be a number"),
                ({"model": "exact-flow", "t": 0}, "/t", "must be above 0"),
                ({"model": "exact-flow", "t": 1.5}, "/t", "at most 1, got 1.5"),
                ({"eps": [[1]]}, "/eps/0", "must be an array of 2"),
                ({"eps": [[1, 2], [3, 4]]}, "/eps", "n = 1"),
                ({"eps": [[1, 2]], "seed": 1}, "/seed", "excludes eps"),
                ({"eps": [[1, 2]], "chain": True}, "/eps", "beside chain"),
                ({"chain": 1}, "/chain", "must be true or false"),
                ({"chain": True, "t": 500.5}, "/t", "must be a whole timestep"),
                ({"init_image": "AAAA"}, "/init_image", "makes points"),
                ({"seed": -1}, "/seed", "must be 0..4294967295"),
                ({"seeds": [1, 2]}, "/seeds", "must hold n = 1"),
                ({"steps": 5}, "/steps", "unknown field"),
                ({"format": "apng"}, "/format", "must be one of png, json, npy"),
                ({"model": "exact-1d", "format": "apng"}, "/format", "must be one of")):
            with self.subTest(change):
                self.assertIn(words, faults(**{**good, **change})[pointer])

    def test_what_is_missing_is_told_at_once(self):
        self.assertEqual(set(faults()), {"/x_0", "/t"})

    def test_a_picture_of_another_size_or_beside_values_is_refused(self):
        _, text = image()
        small = base64.b64encode(formats.write_png(8, 8, 3, bytes(192))).decode()
        self.assertIn("16x16", faults(model="faces", t=1, init_image=small)["/init_image"])
        self.assertIn("excludes init_image",
                      faults(model="faces", t=1, init_image=text, x_0=[[[[0]]]])["/x_0"])
        self.assertIn("/x_0/0", faults(model="faces", t=1, x_0=[[[[0, 0, 0]]]]))

    def test_numbers_beyond_double_are_no_json(self):
        answer = SERVER.request("POST", "/noise", '{"x_0":[[1e999,0]],"t":5}',
                                {"Content-Type": "application/json"})
        self.assertEqual((answer.status, answer.json()["code"]), (400, "invalid_json"))

    def test_what_overflows_is_said(self):
        answer = ask(x_0=[[3e38, 0]], eps=[[3e38, 0]], t=300)
        self.assertEqual((answer.status, answer.json()["code"]), (500, "nonfinite_output"))

    def test_formats_that_cannot_be_are_406_by_accept(self):
        answer = SERVER.request("POST", "/noise", '{"x_0":[[1,0]],"t":5}', {"Accept": "image/apng"})
        self.assertEqual(answer.status, 406)


if __name__ == "__main__":
    unittest.main()
