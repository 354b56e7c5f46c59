"""Ordinary differential equations over HTTP: flows and the probability flow of a mixture whose
network is exact, and how many evaluations a solver that chooses its own steps has taken.

The mixture: .2 N((3,3), I) + .8 N((-3,-3), I). Expected end points were computed in double, apart
from this code."""

import pathlib
import shutil
import tempfile
import unittest

import daemon
from daemon import Daemon

SCHEDULERS = {
    "vp": {"_class_name": "DenoisedProcess", "process": "vp", "prediction_type": "epsilon"},
    "flow": {"_class_name": "DenoisedProcess", "process": "flow", "prediction_type": "velocity"},
    "match": {"_class_name": "FlowMatchEulerDiscreteScheduler"},
    "ve-linear": {"_class_name": "DenoisedProcess", "process": "ve_linear", "sigma_q": 10,
                  "prediction_type": "score"},
    "table": daemon.SCHEDULER,
}
RK45 = {"model": "vp", "sampler": "pf_ode", "method": "rk45"}

MODELS = None
SERVER = None


def setUpModule():
    global MODELS, SERVER
    MODELS = pathlib.Path(tempfile.mkdtemp(prefix="denoised-models-"))
    for name, scheduler in SCHEDULERS.items():
        daemon.write_mixture(MODELS / name, daemon.MIXTURE, scheduler)
    SERVER = Daemon("--default-model", "vp", models=MODELS)


def tearDownModule():
    code = SERVER.stop()
    shutil.rmtree(MODELS)
    assert code == 0, code


# request, x y of seed 0, x y of seed 1, tolerance
CHAINS = [
    ({"model": "match", "steps": 10}, [-.675790, -2.265407, -1.832953, -2.174743], 1e-4),
    ({"model": "match", "sampler": "flow_heun", "steps": 10},
     [2.244105, .411336, -1.776356, -2.170428], 1e-4),
    ({"model": "flow", "steps": 10}, [-.620411, -2.232842, -1.823811, -2.170507], 1e-4),
    ({"model": "flow", "sampler": "flow_rk4", "steps": 10},
     [2.784091, .949668, -1.757307, -2.151734], 1e-4),
    ({"model": "ve-linear", "steps": 10}, [-2.301733, 1.355250, 7.789917, -8.864035], 1e-4),
    ({"model": "vp", "sampler": "pf_ode", "steps": 20},
     [2.874886, 1.040461, -1.704229, -2.098657], 1e-4),
    (RK45, [2.913599, 1.079174, -1.721259, -2.115687], 1e-3),
    ({"model": "table", "sampler": "pf_ode", "method": "rk4", "steps": 20},
     [2.909184, 1.074759, -1.722458, -2.116886], 1e-4),
]


def fault_of(answer):
    problem = answer.json()
    return (answer.status, problem["code"], [fault["pointer"] for fault in problem["errors"]])


class Solvers(unittest.TestCase):
    def test_chains_of_two_seeds_end_where_they_must(self):
        for body, expected, tolerance in CHAINS:
            with self.subTest(body):
                first, second = SERVER.sample(dict(body, n=2, seed=0)).json()["points"]
                for number, known in zip(first + second, expected, strict=True):
                    self.assertLess(abs(number - known), tolerance)

    def test_evaluations_are_reported_for_each_row(self):
        answer = SERVER.sample(dict(RK45, n=200, seed=0)).json()
        self.assertEqual(len(answer["nfe"]), 200)
        self.assertTrue(all(nfe % 6 == 2 for nfe in answer["nfe"]), answer["nfe"])
        self.assertGreater(len(set(answer["nfe"])), 3)
        self.assertLess(abs(sum(answer["nfe"]) / 200 / 64.3 - 1), .25)
        self.assertNotIn("steps", answer["params"])
        self.assertEqual(answer["params"]["max_nfe"], 10000)

    def test_a_rows_evaluations_do_not_depend_on_its_neighbours(self):
        many = SERVER.sample(dict(RK45, n=20, seed=0)).json()
        for seed in (0, 7, 19):
            alone = SERVER.sample(dict(RK45, seed=seed)).json()
            self.assertEqual(alone["nfe"], [many["nfe"][seed]])
            self.assertEqual(alone["points"], [many["points"][seed]])

    def test_solvers_of_even_steps_report_none(self):
        answer = SERVER.sample({"model": "vp", "sampler": "pf_ode", "steps": 5, "seed": 0}).json()
        self.assertNotIn("nfe", answer)
        self.assertEqual(answer["params"]["method"], "heun")
        self.assertNotIn("rtol", answer["params"])

    def test_a_limit_that_is_too_low_is_a_problem_that_names_what_was_used(self):
        answer = SERVER.sample(dict(RK45, seed=0, n=3, max_nfe=30))
        problem = answer.json()
        self.assertEqual((answer.status, problem["code"]), (422, "not_converged"))
        self.assertEqual(problem["type"], "urn:denoised:not-converged")
        self.assertIn("26 evaluations", problem["detail"])
        self.assertNotIn("points", problem)
        self.assertEqual(SERVER.sample(dict(RK45, seed=0)).status, 200)

    def test_what_a_method_does_not_have_is_refused_where_it_stands(self):
        self.assertEqual(fault_of(SERVER.sample(dict(RK45, steps=20))),
                         (422, "invalid_parameter", ["/steps"]))
        self.assertEqual(fault_of(SERVER.sample({"model": "vp", "sampler": "pf_ode", "rtol": .1})),
                         (422, "invalid_parameter", ["/rtol"]))
        self.assertEqual(fault_of(SERVER.sample({"model": "flow", "shift": 3})),
                         (422, "invalid_parameter", ["/shift"]))
        self.assertEqual(fault_of(SERVER.sample({"model": "ve-linear", "sigma_q": 3})),
                         (422, "invalid_parameter", ["/sigma_q"]))
        answer = SERVER.sample({"model": "vp", "sampler": "flow_euler"})
        self.assertEqual(fault_of(answer), (422, "invalid_parameter", ["/sampler"]))

    def test_of_several_fields_that_are_refused_the_one_that_is_spoken_of_is_named(self):
        for fields, pointer, words in (
                ({"sampler": "ancestral_sde", "steps": 1, "sampling_eps": 0}, "/steps",
                 "at least 2 steps"),
                ({"sampler": "sde_euler_maruyama", "steps": 1, "sampling_eps": 5}, "/steps",
                 "at least 2 steps"),
                ({"sampler": "annealed_langevin", "steps": 1, "sigma_min": 9, "sigma_max": 1},
                 "/steps", "at least 2 steps"),
                ({"model": "flow", "sampler": "annealed_langevin", "steps": 9, "sigma_max": 1e-9},
                 "/sigma_max", "not below sigma_max"),
                ({"model": "flow", "sampler": "annealed_langevin", "steps": 9, "sigma_min": 1e9},
                 "/sampler", "sigma_max must be given"),
                (dict(RK45, steps=9, rtol=1, sampling_eps=5), "/sampling_eps", "sampling_eps")):
            with self.subTest(fields):
                answer = SERVER.sample({"model": "vp", **fields})
                self.assertEqual(fault_of(answer), (422, "invalid_parameter", [pointer]))
                self.assertIn(words, answer.json()["errors"][0]["detail"])


if __name__ == "__main__":
    unittest.main()
