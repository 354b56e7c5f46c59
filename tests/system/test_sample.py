"""POST /sample: what is refused and how, what is answered, and that a seed says it all."""

import base64
import shutil
import struct
import unittest

import daemon
from daemon import Daemon

MODELS = None
SERVER = None


def setUpModule():
    global MODELS, SERVER
    MODELS = daemon.make_models("faces")
    SERVER = Daemon("--default-model", "mix", models=MODELS)


def tearDownModule():
    code = SERVER.stop()
    shutil.rmtree(MODELS)
    assert code == 0, code


class Json(unittest.TestCase):
    """J1 ... J20: 400 with the byte offset."""

    MALFORMED = [
        b"", b'{"n":1', b'{"n":1}xyz', b"nullx", b"[1]", b"1", b'{"n":1,"n":2}',
        b'{"a":' * 17 + b"1" + b"}" * 17, b"[" * 100_000, b'{"n":1e999}', b'{"n":NaN}',
        b'{"n":01}', b'{"n":1.}', b'{"n":.5}', b'{"n":+1}', b'{"tag":"a\x01b"}',
        b'{"tag":"\\u0000"}', b'{"tag":"\xff"}', b'{"tag":"\xc0\xaf"}', b'\xef\xbb\xbf{"n":1}',
        b'{"n":1,}', b"{'n':1}", b'{"n":1}//x', b'{"tag":"' + b"a" * 8193 + b'"}',
        b'{"seeds":[' + b"0," * 65536 + b"0]}",
    ]

    def test_malformed_json_is_400_with_a_sentence(self):
        for body in self.MALFORMED:
            with self.subTest(body[:40]):
                answer = SERVER.sample(body)
                self.assertEqual(answer.status, 400)
                self.assertEqual(answer.json()["code"], "invalid_json")
                self.assertTrue(answer.json()["detail"])

    def test_depth_16_is_read_and_refused_for_what_it_says(self):
        answer = SERVER.sample(b'{"a":' * 16 + b"1" + b"}" * 16)
        self.assertEqual(answer.status, 422)


class Fields(unittest.TestCase):
    """S1 ... S11: 422 with a pointer."""

    FAULTS = [
        ({"n": value}, "/n") for value in (0, -1, 1.5, "4", 100_001, 1e18, None, True, [1])
    ] + [
        ({"steps": value}, "/steps") for value in (0, -1, 1.5, "4", 1001, 1e18, None)
    ] + [
        ({"seed": value}, "/seed") for value in (-1, 2**32, 2**53 + 1, 1.5, "4")
    ] + [
        ({"n": 2, "seeds": [1]}, "/seeds"),
        ({"n": 2, "seeds": [1, -1]}, "/seeds/1"),
        ({"seed": 1, "seeds": [1]}, "/seeds"),
        ({"sampler": "ddim", "eta": -0.1}, "/eta"),
        ({"sampler": "ddim", "eta": 1.1}, "/eta"),
        ({"sampler": "k_euler"}, "/sampler"),
        ({"sampler": "ddpm", "eta": 0.5}, "/eta"),
        ({"width": 64}, "/width"),
        ({"prompt": "a cat"}, "/prompt"),
        ({"callback_url": "http://localhost/"}, "/callback_url"),
        ({"class": 0}, "/class"),
        ({"guidance": 2}, "/guidance"),
        ({"format": "gif"}, "/format"),
        ({"tag": "a\u202eb"}, "/tag"),
        ({"tag": "a" * 129}, "/tag"),
        ({"x_T": [0, 0]}, "/x_T"),
        ({"priority": "batch"}, "/priority"),
    ]

    def test_each_fault_is_422_and_points_at_its_field(self):
        for body, pointer in self.FAULTS:
            with self.subTest(body):
                answer = SERVER.sample(body)
                self.assertEqual(answer.status, 422, answer)
                pointers = [error["pointer"] for error in answer.json()["errors"]]
                self.assertIn(pointer, pointers)

    def test_all_faults_come_at_once(self):
        body = {"n": 0, "steps": -1, "seed": 2**32, "sampler": "x", "sede": 1, "tag": 5,
                "format": "gif"}
        pointers = {error["pointer"] for error in SERVER.sample(body).json()["errors"]}
        self.assertEqual(pointers, {"/" + name for name in body})

    def test_work_over_the_limit_is_422_with_each_field_legal(self):
        with Daemon("--max-request-seconds", "0.001", models=MODELS) as server:
            answer = server.sample({"model": "faces", "n": 16, "steps": 1000})
            self.assertEqual(answer.status, 422)
            self.assertEqual([error["pointer"] for error in answer.json()["errors"]], [""])

    def test_unknown_models_are_404(self):
        for name in ("nobody", "../mix", "a/b", ".", "a" * 65):
            answer = SERVER.sample({"model": name})
            self.assertIn(answer.status, (404, 422), name)

    def test_digest_pin(self):
        digest = SERVER.get("/models/mix").json()["digest"].split(":")[-1]
        self.assertEqual(SERVER.sample({"model": "mix@sha256:" + digest[:12], "steps": 1}).status,
                         200)
        answer = SERVER.sample({"model": "mix@sha256:" + "0" * 12, "steps": 1})
        self.assertEqual(answer.status, 404)
        self.assertIn(digest, answer.json()["detail"])


class Models(unittest.TestCase):
    def test_the_list_says_what_each_model_says_of_itself(self):
        found = SERVER.get("/models").json()["models"]
        self.assertGreater(len(found), 1)
        for model in found:
            self.assertEqual(SERVER.get("/models/" + model["name"]).json(), model)


class Answers(unittest.TestCase):
    def test_points_as_json_npy_and_png_are_the_same_points(self):
        body = {"n": 4, "seed": 7, "steps": 20}
        points = SERVER.sample(body).json()["points"]
        npy = SERVER.sample(dict(body, format="npy")).body
        self.assertTrue(npy.startswith(b"\x93NUMPY\x01\x00"))
        size = struct.unpack("<H", npy[8:10])[0]
        numbers = struct.unpack("<8f", npy[10 + size:])
        flat = [coordinate for point in points for coordinate in point]
        self.assertEqual([struct.pack("<f", x) for x in flat],
                         [struct.pack("<f", x) for x in numbers])
        png = SERVER.sample(dict(body, format="png"))
        self.assertEqual(png.header("content-type"), "image/png")
        self.assertTrue(png.body.startswith(b"\x89PNG\r\n\x1a\n"))

    def test_headers_of_a_sample(self):
        answer = SERVER.sample({"n": 2, "seed": 4294967295, "steps": 1})
        self.assertEqual(answer.header("x-denoised-seeds"), "4294967295,0")
        self.assertRegex(answer.header("x-denoised-model"), r"^mix@sha256:[0-9a-f]{64}$")
        self.assertRegex(answer.header("server-timing"), r"queue;dur=.*denoise;dur=.*encode;dur=")
        self.assertEqual(answer.json()["id"], answer.header("x-request-id"))

    def test_drawn_seed_is_returned_and_repeats_the_sample(self):
        first = SERVER.sample({"steps": 3}).json()
        seed = first["params"]["seeds"][0]
        again = SERVER.sample({"steps": 3, "seed": seed}).json()
        self.assertEqual(first["points"], again["points"])
        self.assertNotEqual(seed, SERVER.sample({"steps": 3}).json()["params"]["seeds"][0])

    def test_equal_requests_give_equal_png_files(self):
        body = {"model": "faces", "n": 2, "seed": 1, "steps": 2}
        self.assertEqual(SERVER.sample(body).body, SERVER.sample(body).body)

    def test_image_rows_are_the_same_alone_and_together(self):
        together = SERVER.sample({"model": "faces", "n": 3, "seed": 5, "steps": 2,
                                  "format": "json", "encoding": "f32"}).json()["samples"]
        for i in range(3):
            alone = SERVER.sample({"model": "faces", "seed": 5 + i, "steps": 2, "format": "json",
                                   "encoding": "f32"}).json()["samples"][0]
            self.assertEqual(alone["f32"], together[i]["f32"])
        self.assertEqual(len(base64.b64decode(together[0]["f32"])), 16 * 16 * 3 * 4)

    def test_tag_is_in_the_log_and_stays_in_its_field(self):
        tag = 'a" level=error event=forged b'
        self.assertEqual(SERVER.sample({"steps": 1, "tag": tag}).status, 200)
        line = daemon.wait_for(lambda: [line for line in SERVER.log if "forged" in line],
                               "the log line")[0]
        self.assertIn(r'tag="a\" level=error event=forged b"', line)


if __name__ == "__main__":
    unittest.main()
