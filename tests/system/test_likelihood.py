"""How likely data are: by the bound with its terms, by the flow, and what is refused."""

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
LOG_2PI = math.log(2 * math.pi)


def setUpModule():
    global MODELS, SERVER
    MODELS = daemon.make_models("faces", "mixture", "exact-vp", "exact-flow", "exact-labels",
                                "exact-flow-annulus", "exact-consistency")
    shorten(MODELS / "faces", MODELS / "few", 20)
    SERVER = Daemon("--default-model", "mix", "--max-n", 32, models=MODELS)


def shorten(folder, to, timesteps):
    """The same network on a table of fewer entries."""
    shutil.copytree(folder, to)
    scheduler, card = to / "scheduler" / "scheduler_config.json", to / "denoised.json"
    config, about = json.loads(scheduler.read_text()), json.loads(card.read_text())
    config["num_train_timesteps"] = about["default"]["steps"] = timesteps
    scheduler.write_text(json.dumps(config))
    card.write_text(json.dumps(about))


def tearDownModule():
    code = SERVER.stop()
    shutil.rmtree(MODELS)
    assert code == 0, code


def ask(**fields):
    return SERVER.ask("/likelihood", fields)


def measure(**fields):
    return ask(**fields).good()


def faults(**fields):
    return ask(**fields).faults()


def data(count, seed=1):
    """Of .2 N((3,3), I) + .8 N((-3,-3), I)."""
    numbers = random.Random(seed)
    centres = [3 if numbers.random() < .2 else -3 for _ in range(count)]
    return [[centre + numbers.gauss(0, 1) for _ in range(2)] for centre in centres]


def nats(point):
    """-ln of that density."""
    x, y = point
    return LOG_2PI - math.log(.2 * math.exp(-((x - 3) ** 2 + (y - 3) ** 2) / 2) +
                              .8 * math.exp(-((x + 3) ** 2 + (y + 3) ** 2) / 2))


def mean(values):
    return sum(values) / len(values)


def standard_error(values):
    centre = mean(values)
    return math.sqrt(sum((value - centre) ** 2 for value in values) / (len(values) - 1) /
                     len(values))


def gradient():
    """A picture of faces' size: its PNG in base64, and its values as x_0 has them."""
    pixels = bytes((3 * i) % 256 for i in range(SIDE * SIDE * 3))
    values = [2 * byte / 255 - 1 for byte in pixels]
    rows = [[values[3 * (SIDE * y + x):][:3] for x in range(SIDE)] for y in range(SIDE)]
    return base64.b64encode(formats.write_png(SIDE, SIDE, 3, pixels)).decode(), rows


class Flow(unittest.TestCase):
    def test_known_points_have_their_nats_and_evaluations(self):
        answer = measure(model="exact-vp", x_0=[[3.2, 2.9], [-2.5, -3.5]])
        self.assertAlmostEqual(answer["nats"][0], 3.450655, delta=1e-4)
        self.assertAlmostEqual(answer["nats"][1], 2.314922, delta=1e-4)
        for nfe, known in zip(answer["nfe"], (86, 62)):
            self.assertAlmostEqual(nfe, known, delta=known / 4)
        self.assertEqual(answer["trace"], "exact")
        self.assertEqual(answer["standard_error"], [None, None])
        for row in range(2):
            self.assertAlmostEqual(answer["bits_per_dim"][row],
                                   answer["nats"][row] / (2 * math.log(2)), delta=1e-9)
            terms = answer["terms"][row]
            self.assertAlmostEqual(answer["nats"][row], -terms["log_prior"] - terms["delta"],
                                   delta=1e-9)
            x, y = answer["x_T"][row]
            self.assertAlmostEqual(terms["log_prior"], -LOG_2PI - (x * x + y * y) / 2, delta=1e-5)

    def test_the_mean_over_data_is_that_of_their_density(self):
        points = data(60 if daemon.SANITIZED else 400)
        wanted = mean([nats(point) for point in points])
        for model in ("exact-vp", "exact-flow", "mix"):
            found = measure(model=model, x_0=points, solver="rk4", steps=50)
            self.assertAlmostEqual(mean(found["nats"]), wanted, delta=.005, msg=model)
            self.assertEqual(set(found["nfe"]), {200})

    def test_the_latent_goes_back_to_sample(self):
        points = data(5)
        found = measure(model="exact-vp", x_0=points, solver="rk4", steps=50)
        answer = SERVER.sample({"model": "exact-vp", "n": 5, "sampler": "pf_ode", "method": "rk4",
                                "steps": 50, "x_T": found["x_T"]})
        for got, wanted in zip(answer.json()["points"], points):
            self.assertLess(math.dist(got, wanted), .02)

    def test_an_estimate_says_so_and_how_good_it_is(self):
        points = data(40)
        exact = measure(model="exact-vp", x_0=points, solver="rk4", steps=20)
        found = measure(model="exact-vp", x_0=points, solver="rk4", steps=20, trace="hutchinson",
                        probes=16, seed=1)
        self.assertEqual((found["trace"], found["params"]["probes"]), ("hutchinson", 16))
        self.assertEqual(found["params"]["seeds"], list(range(1, 41)))
        self.assertEqual(set(found["nfe"]), {4 * 20 * 33})
        error = math.sqrt(sum(value ** 2 for value in found["standard_error"])) / 40
        self.assertLess(abs(mean(found["nats"]) - mean(exact["nats"])), 3 * error)
        self.assertNotEqual(found["nats"], exact["nats"])
        one = measure(model="exact-vp", x_0=points[:2], trace="hutchinson", probes=1, seed=1)
        self.assertEqual(one["standard_error"], [None, None])

    def test_a_class_has_a_density_of_its_own(self):
        found = measure(model="exact-labels", x_0=[[3, 3], [3, 3]], **{"class": [0, 1]})
        self.assertAlmostEqual(found["nats"][0], LOG_2PI, delta=.05)
        self.assertAlmostEqual(found["nats"][1], LOG_2PI + 36, delta=3)
        self.assertNotIn("guidance", found["params"])

    def test_outside_of_a_bounded_base_nothing_is_likely(self):
        found = measure(model="exact-flow-annulus", x_0=[[400, 100]])
        self.assertEqual((found["nats"], found["bits_per_dim"]), ([None], [None]))
        self.assertIsNone(found["terms"][0]["log_prior"])

    def test_a_trained_network_is_near_the_density(self):
        points = data(30)
        found = measure(model="mixture", x_0=points, solver="rk4", steps=50)
        self.assertEqual(found["trace"], "exact")
        self.assertAlmostEqual(mean(found["nats"]), mean([nats(point) for point in points]),
                               delta=.1)


class Bound(unittest.TestCase):
    def test_its_terms_add_up(self):
        found = measure(method="elbo", x_0=[[2, 3]], seed=4)
        terms = found["terms"][0]
        self.assertEqual((len(terms["L"]), len(terms["rmse"])), (1000, 1000))
        self.assertAlmostEqual(terms["rate"], terms["L_T"] + sum(terms["L"][1:]), delta=1e-9)
        self.assertEqual(terms["distortion"], terms["L"][0])
        self.assertAlmostEqual(found["nats"][0], terms["rate"] + terms["distortion"], delta=1e-9)
        self.assertAlmostEqual(found["bits_per_dim"][0], found["nats"][0] / (2 * math.log(2)),
                               delta=1e-9)
        self.assertLess(terms["rmse"][0], .05)
        self.assertGreater(mean(terms["rmse"][900:]), 10 * terms["rmse"][0])
        self.assertEqual((found["nfe"], found["standard_error"]), ([1000], [None]))
        self.assertEqual(
            {key: found["params"][key] for key in ("method", "variance_type", "decoder_variance")},
            {"method": "elbo", "variance_type": "fixed_small", "decoder_variance": "posterior"})

    def test_its_gap_to_the_density_is_the_known_one(self):
        points = data(50 if daemon.SANITIZED else 1000)
        wanted = [nats(point) for point in points]
        for gap, options in ((1.16, {}),
                             (.0023, {"variance_type": "fixed_large", "decoder_variance": "beta"})):
            found = measure(method="elbo", x_0=points, seed=7, terms=False, **options)
            gaps = [bound - exact for bound, exact in zip(found["nats"], wanted)]
            self.assertLess(abs(mean(gaps) - gap), 3 * standard_error(gaps))
            self.assertNotIn("L", found["terms"][0])

    def test_a_row_is_what_its_seed_makes_it(self):
        points = data(3)
        rows = measure(method="elbo", x_0=points, seed=10)
        alone = measure(method="elbo", x_0=points[2:], seed=12)
        other = measure(method="elbo", x_0=points[2:], seed=13)
        self.assertEqual((alone["nats"], alone["terms"]), (rows["nats"][2:], rows["terms"][2:]))
        self.assertNotEqual(alone["nats"], other["nats"])

class Pictures(unittest.TestCase):
    def test_the_bound_is_on_the_probability_of_their_bytes(self):
        picture, rows = gradient()
        found = measure(model="few", method="elbo", init_image=picture, seed=1)
        same = measure(model="few", method="elbo", x_0=[rows], seed=1, terms=False)
        self.assertAlmostEqual(found["nats"][0], same["nats"][0], delta=1e-3)
        self.assertIn("init_image", found["params"])
        self.assertEqual((found["nfe"], len(found["terms"][0]["L"])), ([20], 20))
        self.assertGreater(found["terms"][0]["distortion"], 0)
        # No bits for the width of a byte's bin: it is in the probability.
        self.assertAlmostEqual(found["bits_per_dim"][0],
                               found["nats"][0] / (SIDE * SIDE * 3 * math.log(2)), delta=1e-9)

    def test_a_density_of_pictures_is_counted_in_bits_of_their_bytes(self):
        picture, _ = gradient()
        found = measure(model="faces", init_image=picture, solver="euler", steps=2, probes=2,
                        seed=1)
        self.assertEqual(found["trace"], "hutchinson")
        self.assertEqual(found["nfe"], [2 * 5])
        self.assertGreater(found["standard_error"][0], 0)
        self.assertAlmostEqual(found["bits_per_dim"][0],
                               found["nats"][0] / (SIDE * SIDE * 3 * math.log(2)) +
                               math.log2(127.5), delta=1e-9)

    def test_what_is_no_picture_is_found_at_its_entry(self):
        _, rows = gradient()
        rows[5][7][2] = 0.5
        self.assertIn("byte's value", faults(model="faces", method="elbo", x_0=[rows],
                                             seed=1)["/x_0/0/5/7/2"])
        rows[5][7][2] = -1.01
        self.assertIn("byte's value", faults(model="faces", method="elbo", x_0=[rows],
                                             seed=1)["/x_0/0/5/7/2"])
        self.assertIn("256/255", faults(model="faces", x_0=[rows], seed=1)["/x_0/0/5/7/2"])


class BadInput(unittest.TestCase):
    POINT = [[1, 2]]

    def check(self, pointer, words, **fields):
        found = faults(**{"x_0": self.POINT, **fields})
        self.assertEqual(list(found), [pointer], fields)
        self.assertIn(words, found[pointer])

    def test_fields_of_the_other_method(self):
        for field, value in (("solver", "rk4"), ("steps", 5), ("trace", "exact"), ("probes", 2)):
            self.check("/" + field, "method pf_ode", method="elbo", **{field: value})
        for field, value in (("variance_type", "fixed_large"), ("decoder_variance", "beta"),
                             ("terms", False)):
            self.check("/" + field, "method elbo", **{field: value})

    def test_terms_are_bounded(self):
        """Writing ten million of them held up everybody else for half a minute."""
        rows = self.POINT * 525
        self.check("/terms", "2000 numbers for each of 525 rows, above 1048576: ask for at most "
                   "524 rows, or without terms", x_0=rows, method="elbo")
        self.assertEqual(len(measure(x_0=rows, method="elbo", terms=False)["nats"]), 525)

    def test_methods(self):
        self.check("/method", "elbo, pf_ode", method="vlb")
        self.check("/method", "elbo, pf_ode", method=None)
        self.check("/method", "needs a beta table", method="elbo", model="exact-flow")
        self.check("/method", "pf_ode needs a", method="pf_ode", model="exact-consistency")
        self.check("/method", "needs a", model="exact-consistency")

    def test_values(self):
        self.check("/solver", "euler, heun, rk4, rk45", solver="rk5")
        self.check("/steps", "rk45 takes as many", steps=10)
        self.check("/steps", "1..10000", solver="rk4", steps=0)
        self.check("/steps", "1..10000", solver="rk4", steps=10001)
        self.check("/trace", "exact, hutchinson", trace="none")
        self.check("/probes", "trace hutchinson", probes=4)
        self.check("/probes", "1..64", trace="hutchinson", probes=65)
        self.check("/probes", "an integer", trace="hutchinson", probes=1.5)
        self.check("/variance_type", "fixed_small", method="elbo", variance_type="large")
        self.check("/variance_type", "predicts no variance", method="elbo",
                   variance_type="learned_range")
        self.check("/decoder_variance", "posterior, beta", method="elbo", decoder_variance=1)
        self.check("/terms", "true or false", method="elbo", terms=1)
        self.check("/seed", "draws nothing", seed=1)
        self.check("/format", "json", format="png")
        self.check("/guidance", "unknown field", guidance=2)

    def test_an_exact_trace_of_a_network_of_pictures(self):
        picture, _ = gradient()
        self.assertIn("must be hutchinson",
                      faults(model="faces", init_image=picture, trace="exact")["/trace"])

    def test_data(self):
        self.assertIn("must be given", faults(method="elbo")["/x_0"])
        self.check("/x_0", "1..", x_0=[])
        self.check("/x_0", "an array", x_0=3)
        self.check("/x_0/0", "an array of 2", x_0=[[1, 2, 3]])
        self.check("/x_0/1/0", "a number", x_0=[[1, 2], [None, 3]])
        self.check("/x_0/0/1", "within float32", x_0=[[1, 1e39]])
        self.check("/class", "no classes", **{"class": 1})
        self.assertEqual(SERVER.request("POST", "/likelihood", '{"x_0":[[NaN,1]]}',
                                        {"Content-Type": "application/json"}).status, 400)

    def test_a_picture_that_is_none(self):
        found = faults(model="faces", init_image="AAAA")
        self.assertEqual(list(found), ["/init_image"])
        self.assertIn("/init_image", faults(init_image="AAAA", x_0=self.POINT))

    def test_more_than_the_daemon_gives(self):
        with Daemon("--max-request-seconds", "0.001", models=MODELS) as poor:
            answer = poor.request("POST", "/likelihood",
                                  json.dumps({"model": "mix", "method": "elbo", "terms": False,
                                              "x_0": data(1000)}))
            self.assertEqual(answer.status, 422)
            self.assertIn("above the limit", answer.json()["errors"][0]["detail"])

    def test_only_json_comes_back(self):
        answer = SERVER.request("POST", "/likelihood", json.dumps({"x_0": self.POINT}),
                                {"Accept": "image/png"})
        self.assertEqual((answer.status, answer.json()["code"]), (406, "not_acceptable"))
        self.assertEqual(SERVER.get("/likelihood").status, 405)


if __name__ == "__main__":
    unittest.main()
