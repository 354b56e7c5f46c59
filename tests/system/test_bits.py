"""A row's bytes depend on its request and its seed alone: not on who is sampled beside it, where it
stands among them, how many threads share the work, or which process of the daemon does it."""

import base64
import random
import re
import shutil
import struct
import threading
import unittest

import daemon
import formats
from daemon import ROOT, Daemon, all_clients, post, wait_for

MODELS = None
CROWD = 3 if daemon.SANITIZED else 15  # beside each row that is watched: a batch of 16
THREADS = [3] if daemon.SANITIZED else [1, 3]  # of other daemons

# One row each, of every family and sampler. The seed is given where it is asked for.
WATCHED = [
    {"model": "faces", "class": "hat", "guidance": 2, "sampler": "ddim", "steps": 2, "eta": 0.5},
    {"model": "faces", "sampler": "ddpm", "steps": 2, "variance_type": "fixed_large"},
    {"model": "shapes", "class": "star", "guidance": 1.5, "sampler": "ddim", "steps": 9},
    {"model": "shapes", "class": "ring", "sampler": "ddpm", "steps": 12},
    {"model": "mixture", "sampler": "ddim", "steps": 11, "eta": 1, "spacing": "trailing"},
    {"model": "mixture", "sampler": "ddpm", "steps": 10},
    {"model": "mix", "sampler": "ddpm", "steps": 13},
]

if daemon.SANITIZED:
    del WATCHED[0]  # guidance is twice the work; points have it too

# Whom they meet: at least as many steps, other samplers, classes, guidance and seeds.
CLASSES = {"faces": 4, "shapes": 8}
VARIETY = [
    {"sampler": "ddpm"},
    {"sampler": "ddim", "eta": 1},
    {"sampler": "ddim", "spacing": "trailing"},
    {"sampler": "ddpm", "variance_type": "fixed_large"},
    {"sampler": "ddim", "spacing": "linspace", "eta": 0.3},
]


def setUpModule():
    global MODELS
    MODELS = daemon.make_models("faces", "shapes", "mixture")


def tearDownModule():
    shutil.rmtree(MODELS)


def crowd_of(watched, chance):
    """Requests of one row that keep this one company."""
    crowd = []
    for i in range(CROWD):
        body = dict(VARIETY[i % len(VARIETY)], model=watched["model"], seed=chance.randrange(2**32),
                    steps=watched["steps"] + chance.randrange(3))
        if body["model"] in CLASSES and i % 3:
            body["class"] = chance.randrange(CLASSES[body["model"]])
            body["guidance"] = chance.choice([1, 1, 3])
        crowd.append(body)
    return crowd


def exact(body):
    return dict(body, format="json", encoding="f32")


def rows_of(answer):
    """The float32 bytes of each row."""
    assert answer.status == 200, answer
    found = answer.json()
    if "samples" in found:
        return [base64.b64decode(sample["f32"]) for sample in found["samples"]]
    numbers = base64.b64decode(found["points_f32"])
    return [numbers[at:at + 8] for at in range(0, len(numbers), 8)]


def float32(number):
    return struct.unpack("<f", struct.pack("<f", number))[0]


def byte_of(number):
    """A pixel, as diffusers' pipelines make it from float32."""
    return round(float32(float32(min(max(number / 2 + .5, 0), 1)) * 255))


EXACT = ["exact-1d", "exact-3d", "exact-consistency", "exact-flow", "exact-flow-annulus",
         "exact-labels", "exact-mixture", "exact-ou", "exact-sub-vp", "exact-ve",
         "exact-ve-linear", "exact-vp", "ncsn-toy"]


# What some models must be told, as their process has no such number of its own.
TOLD = {"ve_ddpm": {"sigma_q": 10}, "ve_ddim": {"sigma_q": 10},
        "annealed_langevin": {"sigma_max": 20, "steps_per_level": 3}}


def some_options(sampler, chance):
    """Half of its switches and choices, anyhow; of a solver always the method."""
    options = {}
    for option in sampler["options"]:
        values = option.get("choices") or ([False, True] if option["type"] == "boolean" else None)
        if values and (option["name"] == "method" or chance.random() < .5):
            options[option["name"]] = chance.choice(values)
    return options


def wishes(model, sampler, chance):
    """Bodies to be tried until one is taken: what goes together is the sampler's to know."""
    body = {"model": model["name"], "sampler": sampler["name"], "n": chance.randrange(1, 5),
            "seed": chance.randrange(2**32)}
    if model.get("class_count"):
        body.update({"class": chance.randrange(model["class_count"]),
                     "guidance": chance.choice([1, 2])})
    if chance.random() < .3:
        body["trajectory"] = 3
    steps = chance.randrange(21, 27)  # vp needs more than its largest beta
    told, options = TOLD.get(sampler["name"], {}), some_options(sampler, chance)
    return [exact(dict(body, **wish)) for wish in (
        dict(told, steps=steps, **options), dict(told, **options), dict(told, steps=steps), {})]


def result(answer):
    """All of it but what a clock and a counter said."""
    assert answer.status == 200, answer
    return {key: found for key, found in answer.json().items() if key not in ("id", "timing")}


class EverySampler(unittest.TestCase):
    """On every exact model that runs it, all at once, while clients leave in the middle."""

    @classmethod
    def setUpClass(cls):
        cls.models = daemon.make_models(*EXACT)
        cls.addClassCleanup(shutil.rmtree, cls.models)
        chance = random.Random(4)
        cls.bodies, cls.alone, cls.refused = [], [], []
        with Daemon("--threads", 1, models=cls.models) as server:
            for model in server.get("/models").json()["models"]:
                for sampler in model["samplers"]:
                    for _ in range(1 if daemon.SANITIZED else 2):
                        cls.ask(server, wishes(model, sampler, chance))

    @classmethod
    def ask(cls, server, bodies):
        for body in bodies:
            answer = server.sample(body)
            if answer.status == 200:
                cls.bodies.append(body)
                cls.alone.append(result(answer))
                return
        cls.refused.append((body, answer))

    def leave(self, server):
        """Clients that ask for more than they wait for: they close while others are sampled."""
        connections = [server.connect() for _ in range(6)]
        for i, connection in enumerate(connections):
            connection.sendall(post({"model": EXACT[i % 2], "n": 10_000, "steps": 1000,
                                     "sampler": "ddpm", "seed": i}))

        def close():
            for i, connection in enumerate(connections):
                wait_for(lambda: server.metric("denoised_samples_total") > 10 * i, "some samples")
                connection.close()

        thread = threading.Thread(target=close)
        thread.start()
        self.addCleanup(thread.join)

    def check_crowd(self, threads):
        chance = random.Random(threads)
        order = list(range(len(self.bodies)))
        chance.shuffle(order)
        clients = [order[i::24] for i in range(24)]
        with Daemon("--threads", threads, models=self.models) as server:
            self.leave(server)
            answers = all_clients(
                server.address, [[self.bodies[i] for i in client] for client in clients])
            wait_for(lambda: server.metric("denoised_cancelled_total") == 6, "all have left")
            for client, got in zip(clients, answers, strict=True):
                for i, answer in zip(client, got, strict=True):
                    self.assertEqual(result(answer), self.alone[i], self.bodies[i])
            shared = [answer.json()["timing"]["mean_batch"] > body["n"]
                      for client, got in zip(clients, answers)
                      for body, answer in zip((self.bodies[i] for i in client), got)]
            self.assertGreater(sum(shared), len(shared) / 4)
            names = {body["sampler"] for body in self.bodies}
            for name in names:
                self.assertGreater(server.metric("denoised_samples_total", sampler=name), 0, name)
            self.assertEqual(self.listed(server), names)
            table = (ROOT / "core/diffusion/sampler.h").read_text()
            table = re.search(r"define SAMPLERS\(X\)(.*?)\n\n", table, re.S)[1]
            self.assertEqual(set(re.findall(r"X\((\w+)\)", table)), names)

    @staticmethod
    def listed(server):
        """Every sampler that runs on a model that is served."""
        return {sampler["name"] for model in server.get("/models").json()["models"]
                for sampler in model["samplers"]}

    def test_every_sampler_could_be_asked_of_the_models_that_list_it(self):
        # A model whose data are one point has no velocity at its end.
        self.assertLessEqual({body["model"] for body, _ in self.refused}, {"exact-flow-annulus"})

    def test_all_samplers_in_one_crowd_answer_as_alone_with_1_or_2_threads(self):
        for threads in (1, 2):
            with self.subTest(threads):
                self.check_crowd(threads)


class Bits:
    """The tests of one backend."""

    backend = None
    server = None
    alone = None

    @classmethod
    def start(cls, threads):
        return Daemon("--backend", cls.backend, "--threads", threads, models=MODELS)

    @classmethod
    def setUpClass(cls):
        cls.server = cls.start(2)
        cls.alone = cls.each_alone(cls.server)

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        assert code == 0, code

    @staticmethod
    def each_alone(server):
        return [rows_of(server.sample(exact(dict(body, seed=7)))) for body in WATCHED]

    def meet(self, server, watched, chance):
        """Rows by row number and the mean batch they saw, sampled while others of their model are;
        a request of large steps holds the engine until all have come."""
        crowd = crowd_of(watched, chance)
        place = chance.randrange(CROWD + 1)
        crowd.insert(place, exact(dict(watched, seed=7)))
        with server.connect() as plug:
            plug.sendall(post({"model": "faces", "n": CROWD + 1, "steps": 2, "guidance": 1}))
            wait_for(lambda: server.metric("denoised_rows_running") > 0, "the engine to be busy")
            answers = [answer for [answer] in all_clients(server.address, [[b] for b in crowd])]
        self.assertEqual({answer.status for answer in answers}, {200})
        return rows_of(answers[place]), answers[place].json()["timing"]["mean_batch"]

    def check_crowd(self, server, watched, expected):
        chance = random.Random(str(watched))
        for _ in range(20):  # until all sixteen were there in time: once, on a machine at rest
            rows, mean_batch = self.meet(server, watched, chance)
            self.assertEqual(rows, expected, watched)
            if mean_batch >= CROWD + 1:
                return
        self.fail("%s never met %d others: %g" % (watched, CROWD, mean_batch))

    def test_row_in_a_batch_with_15_other_requests_is_the_row_alone(self):
        for watched, expected in zip(WATCHED, self.alone):
            with self.subTest(watched):
                self.check_crowd(self.server, watched, expected)

    def test_row_is_the_same_at_every_place_of_a_request(self):
        for watched, [expected] in zip(WATCHED, self.alone):
            count = 3 if watched["model"] == "faces" else 19
            for place in range(count):
                seeds = [1000 + i for i in range(count)]
                seeds[place] = 7
                rows = rows_of(self.server.sample(exact(dict(watched, n=count, seeds=seeds))))
                self.assertEqual(rows[place], expected, (watched, place))
                self.assertEqual(rows.count(expected), 1)

    def test_row_of_a_class_is_the_same_beside_other_classes(self):
        for watched in WATCHED:
            if "class" not in watched:
                continue
            plain = exact({key: watched[key] for key in watched if key != "guidance"})
            alone = rows_of(self.server.sample(dict(plain, seed=7)))
            among = dict(plain, n=4, seeds=[1, 7, 2, 3])
            among["class"] = [0, watched["class"], None, 1]
            self.assertEqual([rows_of(self.server.sample(among))[1]], alone, watched)

    def test_another_daemon_with_1_or_3_threads_gives_the_same_bytes(self):
        body = dict(WATCHED[0], n=3, seed=1, format="png")
        png = self.server.sample(body).body
        for threads in THREADS:
            with self.subTest(threads), self.start(threads) as other:
                self.assertEqual(self.each_alone(other), self.alone)
                self.assertEqual(other.sample(body).body, png)
                self.check_crowd(other, WATCHED[2], self.alone[2])

    def test_equal_requests_give_equal_files(self):
        for watched in WATCHED:
            for form in ("png", "npy"):
                body = dict(watched, n=2, seed=3, format=form)
                self.assertEqual(self.server.sample(body).body, self.server.sample(body).body, body)

    def test_png_json_and_npy_of_pictures_agree(self):
        body = dict(WATCHED[0], n=3, seed=7)
        rows = rows_of(self.server.sample(exact(body)))
        shape, numbers = formats.read_npy(
            self.server.sample(dict(body, format="npy", encoding="f32")).body)
        self.assertEqual(shape, (3, 16, 16, 3))
        self.assertEqual(numbers.tobytes(), b"".join(rows))
        shape, pixels = formats.read_npy(self.server.sample(dict(body, format="npy")).body)
        self.assertEqual((shape, list(pixels)), ((3, 16, 16, 3), [byte_of(x) for x in numbers]))
        pixels = [pixels[i * 768:i * 768 + 768].tobytes() for i in range(3)]
        samples = self.server.sample(dict(body, format="json")).json()["samples"]
        for sample, expected in zip(samples, pixels, strict=True):
            self.assertEqual(formats.read_png(base64.b64decode(sample["png"])),
                             (16, 16, 3, expected))
        self.assertEqual(formats.read_png(self.server.sample(dict(body, n=1, format="png")).body),
                         (16, 16, 3, pixels[0]))
        width, height, channels, grid = formats.read_png(
            self.server.sample(dict(body, format="png")).body)
        self.assertEqual((width, height, channels), (32, 32, 3))
        cells = [b"".join(grid[(top + y) * 96 + left * 3:][:48] for y in range(16))
                 for top in (0, 16) for left in (0, 16)]
        self.assertEqual(cells, pixels + [bytes(768)])

    def test_json_and_npy_of_points_agree(self):
        body = dict(WATCHED[2], n=5, seed=7)
        rows = rows_of(self.server.sample(exact(body)))
        _, numbers = formats.read_npy(self.server.sample(dict(body, format="npy")).body)
        self.assertEqual(numbers.tobytes(), b"".join(rows))
        points = self.server.sample(dict(body, format="json")).json()["points"]
        self.assertEqual([struct.pack("<2f", *point) for point in points], rows)


class OpenBlas(Bits, unittest.TestCase):
    backend = "openblas"


@unittest.skipIf(daemon.SANITIZED, "minutes; tests/unit/engine/test_bits.c does the same quicker")
class Portable(Bits, unittest.TestCase):
    backend = "portable"


if __name__ == "__main__":
    unittest.main()
