"""Samples that begin with a picture, keep a part of one, or begin where they are told; and the
reverse process as frames."""

import array
import base64
import json
import shutil
import struct
import subprocess
import tempfile
import time
import unittest
import zlib

import daemon
import formats
from daemon import Daemon

MODELS = None
SERVER = None
SIDE = 16  # of faces


def setUpModule():
    global MODELS, SERVER
    MODELS = daemon.make_models("faces")
    SERVER = Daemon("--default-model", "faces", models=MODELS)


def tearDownModule():
    code = SERVER.stop()
    shutil.rmtree(MODELS)
    assert code == 0, code


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels, channels=3, width=SIDE, height=SIDE, depth=8, colour=None, end=True):
    colour = {1: 0, 3: 2, 4: 6}[channels] if colour is None else colour
    line = width * channels * depth // 8
    lines = b"".join(b"\0" + pixels[y * line:(y + 1) * line] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines))
            + (chunk(b"IEND", b"") if end else b""))


def text(file):
    return base64.b64encode(file).decode()


PICTURE = bytes((x * 5 + y * 9 + c * 60) % 256 for y in range(SIDE) for x in range(SIDE)
                for c in range(3))
IMAGE = text(png(PICTURE))
# The left half is to be repainted.
MASK = text(png(bytes(128 if x < SIDE // 2 else 127 for _ in range(SIDE) for x in range(SIDE)), 1))
BODY = {"seed": 5, "steps": 10, "class": "hat", "guidance": 1}


def sample(**fields):
    answer = SERVER.sample({**BODY, **fields})
    assert answer.status == 200, answer
    return answer


def pixels(**fields):
    width, height, channels, found = formats.read_png(sample(**fields).body)
    assert (width, height, channels) == (SIDE, SIDE, 3)
    return found


def distance(some, others):
    return sum(abs(a - b) for a, b in zip(some, others)) / len(some)


class Pictures(unittest.TestCase):
    def test_strength_1_gives_the_plain_bytes(self):
        for sampler in ("ddim", "ddpm"):
            self.assertEqual(pixels(sampler=sampler),
                             pixels(sampler=sampler, init_image=IMAGE, strength=1))

    def test_more_strength_goes_further_from_the_picture(self):
        for sampler in ("ddim", "ddpm"):
            gone = [distance(PICTURE, pixels(sampler=sampler, steps=20, init_image=IMAGE,
                                             strength=strength)) for strength in (.1, .3, .6, .9)]
            self.assertEqual(gone, sorted(gone), sampler)
            self.assertLess(gone[0] * 2, gone[3])

    def test_strength_is_8_tenths_and_1_with_a_mask(self):
        self.assertEqual(pixels(init_image=IMAGE), pixels(init_image=IMAGE, strength=.8))
        self.assertEqual(pixels(init_image=IMAGE, mask=MASK),
                         pixels(init_image=IMAGE, mask=MASK, strength=1))

    def test_a_mask_keeps_known_bytes_and_repaints_the_others(self):
        for sampler, strength in (("ddim", 1), ("ddpm", 1), ("ddim", .5), ("ddpm", .3)):
            found = pixels(sampler=sampler, init_image=IMAGE, mask=MASK, strength=strength)
            half = SIDE // 2
            for y in range(SIDE):
                line = slice((y * SIDE + half) * 3, (y + 1) * SIDE * 3)
                self.assertEqual(found[line], PICTURE[line], (sampler, strength, y))
            self.assertNotEqual(found, PICTURE)

    def test_a_mask_that_keeps_nothing_is_no_mask(self):
        white = text(png(b"\xff" * SIDE * SIDE, 1))
        self.assertEqual(pixels(sampler="ddpm"),
                         pixels(sampler="ddpm", init_image=IMAGE, mask=white))

    def test_a_mask_that_keeps_all_gives_the_picture(self):
        black = text(png(bytes(SIDE * SIDE), 1))
        self.assertEqual(pixels(sampler="ddpm", init_image=IMAGE, mask=black), PICTURE)

    def test_a_row_does_not_feel_its_neighbours(self):
        body = {"sampler": "ddpm", "init_image": IMAGE, "mask": MASK, "strength": .7,
                "format": "json"}
        together = sample(n=4, **body).json()["samples"]
        for i, found in enumerate(together):
            alone = sample(**{**body, "seed": BODY["seed"] + i}).json()["samples"][0]
            self.assertEqual(alone["sha256"], found["sha256"])

    def test_the_recipe_tells_what_was_given(self):
        params = sample(format="json", init_image=IMAGE, mask=MASK).json()["params"]
        self.assertEqual(params["strength"], 1)
        self.assertRegex(params["init_image"], "^sha256:[0-9a-f]{64}$")
        self.assertRegex(params["mask"], "^sha256:[0-9a-f]{64}$")
        self.assertNotIn("strength", sample(format="json").json()["params"])

    def test_an_opaque_rgba_and_a_grey_picture_are_taken(self):
        rgba = b"".join(PICTURE[i:i + 3] + b"\xff" for i in range(0, len(PICTURE), 3))
        self.assertEqual(pixels(init_image=text(png(rgba, 4))), pixels(init_image=IMAGE))
        self.assertEqual(len(pixels(init_image=text(png(PICTURE[:SIDE * SIDE], 1)))), len(PICTURE))


class Starts(unittest.TestCase):
    def test_points_begin_where_they_are_told(self):
        body = {"model": "mix", "sampler": "ddim", "steps": 1000, "n": 2, "x_T": [[1, 1], [-1, -1]]}
        first, second = (SERVER.sample(body) for _ in range(2))
        self.assertEqual(first.status, 200, first)
        self.assertEqual(first.json()["points"], second.json()["points"])
        x, y = first.json()["points"][0]
        self.assertGreater(x + y, 0)
        x, y = first.json()["points"][1]
        self.assertLess(x + y, 0)

    def test_the_values_of_a_run_s_start_repeat_it(self):
        run = sample(format="json", encoding="array", trajectory=10, sampler="ddim").json()
        start = run["trajectory"][0]["x_t"]
        answer = SERVER.sample({**{k: v for k, v in BODY.items() if k != "seed"}, "format": "json",
                                "encoding": "array", "sampler": "ddim", "x_T": start})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json()["samples"][0]["array"], run["samples"][0]["array"])

    def test_a_seed_counts_where_noise_is_drawn(self):
        body = {"model": "mix", "sampler": "ddpm", "steps": 20, "x_T": [[1, 1]]}
        found = [SERVER.sample({**body, "seed": seed}).json()["points"] for seed in (1, 1, 2)]
        self.assertEqual(found[0], found[1])
        self.assertNotEqual(found[0], found[2])


class Frames(unittest.TestCase):
    def test_json_frames_of_points_end_with_the_sample(self):
        answer = SERVER.sample({"model": "mix", "n": 3, "steps": 10, "sampler": "ddim",
                                "trajectory": 4}).json()
        frames = answer["trajectory"]
        self.assertEqual([frame["step"] for frame in frames], [0, 4, 8, 10])
        self.assertEqual([frame["t"] for frame in frames], [900, 500, 100, None])
        self.assertEqual(frames[-1]["x_t"], answer["points"])
        self.assertEqual(frames[-1]["x_0"], answer["points"])
        self.assertNotEqual(frames[0]["x_t"], frames[0]["x_0"])

    def test_frames_do_not_change_the_sample(self):
        for sampler in ("ddim", "ddpm"):
            plain = sample(sampler=sampler, format="json").json()["samples"]
            shown = sample(sampler=sampler, format="json", trajectory=1).json()
            self.assertEqual(plain, shown["samples"])
            self.assertEqual(len(shown["trajectory"]), 11)
            self.assertEqual(shown["trajectory"][-1]["x_t"], [plain[0]["png"]])

    def test_npy_holds_frames_kinds_samples(self):
        shape, found = formats.read_npy(sample(n=2, format="npy", trajectory=5).body)
        self.assertEqual(shape, (3, 2, 2, SIDE, SIDE, 3))
        _, plain = formats.read_npy(sample(n=2, format="npy", encoding="f32").body)
        size = len(plain)
        self.assertEqual(found[4 * size:5 * size], plain)
        self.assertEqual(found[5 * size:], plain)
        whole = sample(n=2, format="json", encoding="f32", trajectory=5).json()
        first = array.array("f", base64.b64decode(whole["trajectory"][0]["x_t"]))
        self.assertEqual(found[:size], first)

    def test_a_contact_sheet_has_a_column_a_frame(self):
        answer = sample(trajectory=5)
        width, height, channels, found = formats.read_png(answer.body)
        self.assertEqual((width, height, channels), (3 * SIDE, 2 * SIDE, 3))
        self.assertEqual(answer.header("X-Denoised-Grid"), "3x2")
        plain = pixels()
        for y in range(2 * SIDE):
            at = (y * width + 2 * SIDE) * 3
            line = y % SIDE * SIDE * 3
            self.assertEqual(found[at:at + SIDE * 3], plain[line:line + SIDE * 3])

    def test_points_are_drawn_a_panel_a_frame(self):
        answer = SERVER.sample({"model": "mix", "n": 50, "steps": 20, "trajectory": 10,
                                "format": "png"})
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(formats.read_png(answer.body)[:2], (3 * 512, 2 * 512))


class EverySampler(unittest.TestCase):
    """What holds for each that /models lists, those of tomorrow too."""

    NO_PICTURE = "cannot begin with a picture"

    def names(self, model):
        names = [each["name"] for each in SERVER.get("/models/" + model).json()["samplers"]]
        return names[::5] if daemon.SANITIZED and model != "mix" else names

    def frames(self, body):
        """The run's samples and its frames; None: this sampler has none."""
        answer = SERVER.sample({**body, "format": "json", "encoding": "array", "trajectory": 3})
        if answer.status == 422:
            self.assertIn("a number of steps of its own", answer.json()["errors"][0]["detail"])
            return None
        self.assertEqual(answer.status, 200, answer)
        found = answer.json()
        key = "points" if "points" in found else "samples"
        samples = found[key] if key == "points" else [each["array"] for each in found[key]]
        return samples, found["trajectory"]

    def test_frames_end_with_the_sample_and_do_not_change_it(self):
        for sampler in self.names("mix"):
            with self.subTest(sampler):
                body = {"model": "mix", "sampler": sampler, "steps": 7, "n": 3, "seed": 4}
                found = self.frames(body)
                if found is None:
                    continue
                samples, frames = found
                self.assertEqual((frames[-1]["x_t"], frames[-1]["x_0"]), (samples, samples))
                self.assertEqual(SERVER.sample(body).json()["points"], samples)

    def test_the_first_frame_is_the_start_that_was_given(self):
        for sampler in self.names("mix"):
            with self.subTest(sampler):
                found = self.frames({"model": "mix", "sampler": sampler, "steps": 7, "n": 2,
                                     "x_T": [[.5, -.25], [2, 1]]})
                if found is not None:
                    self.assertEqual(found[1][0]["x_t"], [[.5, -.25], [2, 1]])

    def test_known_bytes_are_kept_or_pictures_are_refused(self):
        half = SIDE // 2
        for sampler in self.names("faces"):
            for strength in (1, .5):
                with self.subTest(sampler, strength=strength):
                    answer = SERVER.sample({**BODY, "sampler": sampler, "init_image": IMAGE,
                                            "mask": MASK, "strength": strength})
                    if answer.status == 422:
                        self.assertIn(self.NO_PICTURE, answer.json()["errors"][0]["detail"])
                        continue
                    self.assertEqual(answer.status, 200, answer)
                    found = formats.read_png(answer.body)[3]
                    for y in range(SIDE):
                        line = slice((y * SIDE + half) * 3, (y + 1) * SIDE * 3)
                        self.assertEqual(found[line], PICTURE[line])

    def test_a_small_strength_stays_nearer_to_the_picture(self):
        # The grid of these has 20 equal parts of sigma squared: nothing is left of a picture at its end.
        coarse = {"ve_ddpm", "ve_ddim"}
        for sampler in set(self.names("faces")) - coarse:
            with self.subTest(sampler):
                body = {**BODY, "sampler": sampler, "steps": 20, "init_image": IMAGE}
                answers = [SERVER.sample({**body, "strength": each}) for each in (.25, .9)]
                if answers[0].status == 422:
                    self.assertIn(self.NO_PICTURE, answers[0].json()["errors"][0]["detail"])
                    continue
                near, far = (distance(PICTURE, formats.read_png(each.body)[3]) for each in answers)
                self.assertLess(near, far)


class Animations(unittest.TestCase):
    def check(self, body, frames, size):
        answer = SERVER.sample(body)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.header("Content-Type"), "image/apng")
        found = formats.read_apng(answer.body)
        self.assertEqual(len(found), frames)
        for width, height, _, _, _ in found:
            self.assertEqual((width, height), size)
        if shutil.which("pngcheck"):
            with tempfile.NamedTemporaryFile(suffix=".png") as file:
                file.write(answer.body)
                file.flush()
                self.assertEqual(subprocess.run(["pngcheck", "-q", file.name]).returncode, 0)
        return found

    def test_pictures_move_from_noise_to_the_sample(self):
        found = self.check({**BODY, "format": "apng", "trajectory": 2}, 6, (2 * SIDE, SIDE))
        plain = pixels()
        last = found[-1][3]
        for y in range(SIDE):
            line = plain[y * SIDE * 3:(y + 1) * SIDE * 3]
            self.assertEqual(last[y * SIDE * 6:(y + 1) * SIDE * 6], line + line)

    def test_points_move_on_fixed_axes(self):
        self.check({"model": "mix", "n": 20, "steps": 8, "format": "apng", "trajectory": 4},
                   3, (1024, 512))

    def test_about_twenty_frames_unless_it_is_said(self):
        self.check({**BODY, "steps": 50, "format": "apng"}, 18, (2 * SIDE, SIDE))

    def test_accept_chooses_it(self):
        answer = SERVER.sample(BODY, headers={"Accept": "image/apng"})
        self.assertEqual(len(formats.read_apng(answer.body)), 11)

    def test_by_the_accept_header_it_is_refused_where_samples_choose_their_steps(self):
        fields = {"model": "mix", "sampler": "pf_ode", "method": "rk45"}
        answer = SERVER.sample(fields, headers={"Accept": "image/apng"})
        self.assertEqual((answer.status, answer.json()["code"]), (406, "not_acceptable"))
        self.assertRegex(answer.json()["detail"], ": png, json, npy$")
        self.assertEqual(SERVER.sample({**fields, "format": "apng"}).status, 422)


class Schedules(unittest.TestCase):
    def test_the_numbers_of_the_mixture_are_the_published_ones(self):
        answer = SERVER.get("/models/mix/schedule")
        self.assertEqual(answer.status, 200, answer)
        found = answer.json()
        self.assertEqual(len(found["betas"]), 1000)
        self.assertAlmostEqual(found["alphas_cumprod"][499] / .07858724288, 1, delta=1e-9)
        self.assertAlmostEqual(found["posterior_variance"][99] / .002034596259, 1, delta=1e-9)
        self.assertAlmostEqual(found["snr"][0], 9999, delta=1e-6)
        self.assertAlmostEqual(found["prior_kl_nats"], 4.03584e-4, delta=1e-9)
        self.assertIsNone(found["warning"])

    def test_a_network_s_data_are_not_known(self):
        found = SERVER.get("/models/faces/schedule").json()
        self.assertEqual((found["prior_kl_nats"], found["warning"]), (None, None))

    def test_no_such_model_is_404(self):
        answer = SERVER.get("/models/nobody/schedule")
        self.assertEqual((answer.status, answer.json()["code"]), (404, "model_not_found"))
        self.assertEqual(SERVER.get("/models/mix/schedules").status, 404)


class Refusals(unittest.TestCase):
    FAULTS = [
        ({"init_image": 4}, "/init_image", "must be a PNG file in base64"),
        ({"init_image": ""}, "/init_image", "base64"),
        ({"init_image": IMAGE[:-1]}, "/init_image", "base64"),                              # S22
        ({"init_image": IMAGE[:40] + " " + IMAGE[41:]}, "/init_image", "character 40"),     # S22
        ({"init_image": IMAGE[:80] + "\n" + IMAGE[81:]}, "/init_image", "character 80"),    # S22
        ({"init_image": text(png(PICTURE)[:-20])}, "/init_image", "cut off"),               # S19
        ({"init_image": text(png(PICTURE, end=False))}, "/init_image", "before IEND"),      # S19
        ({"init_image": text(b"GIF89a" + bytes(80))}, "/init_image", "not a PNG"),          # S20
        ({"init_image": text(b"\xff\xd8\xff\xe0" + bytes(80))}, "/init_image", "not a PNG"),
        ({"init_image": text(png(bytes(12), width=0, height=0))}, "/init_image", "0x0"),    # S21
        ({"init_image": text(png(PICTURE * 2, depth=16))}, "/init_image", "16 bits"),
        ({"init_image": text(png(PICTURE, 1, width=SIDE, height=SIDE, colour=3))}, "/init_image",
         "colour type is 3"),
        ({"init_image": text(png(PICTURE, height=15))}, "/init_image", "16x15"),
        ({"init_image": text(png(bytes(SIDE * SIDE * 4), 4))}, "/init_image", "not opaque"),
        ({"init_image": IMAGE, "mask": IMAGE}, "/mask", "not grey"),
        ({"mask": MASK}, "/mask", "needs init_image"),
        ({"strength": .5}, "/strength", "needs init_image"),
        ({"init_image": IMAGE, "strength": 0}, "/strength", "above 0"),
        ({"init_image": IMAGE, "strength": 1.01}, "/strength", "0..1"),
        ({"init_image": IMAGE, "strength": .09}, "/strength", "not one whole step"),
        ({"init_image": IMAGE, "x_T": [[]]}, "/x_T", "excludes init_image"),
        ({"x_T": 1}, "/x_T", "must be an array"),
        ({"n": 2, "x_T": [[1, 1]]}, "/x_T", "n = 2"),
        ({"model": "mix", "init_image": IMAGE}, "/init_image", "makes points"),
        ({"model": "mix", "x_T": [[1, 2, 3]]}, "/x_T/0", "array of 2"),
        ({"model": "mix", "n": 2, "x_T": [[1, 2], [1, None]]}, "/x_T/1/1", "got null"),
        ({"model": "mix", "x_T": [[1e39, 2]]}, "/x_T/0/0", "float32"),
        ({"model": "mix", "x_T": [[1, 2]], "sampler": "ddim", "seed": 1}, "/seed", "no use"),
        ({"model": "mix", "x_T": [[1, 2]], "sampler": "ddim", "seeds": [1]}, "/seeds", "no use"),
        ({"trajectory": 0}, "/trajectory", "1.."),
        ({"trajectory": 1.5}, "/trajectory", "integer"),
        ({"model": "mix", "steps": 1000, "trajectory": 1, "format": "png"}, "/trajectory",
         "above 8192"),
        ({"format": "apng", "encoding": "f32"}, "/encoding", "picture"),
    ]

    def test_what_is_wrong_is_named_at_its_pointer(self):
        for fields, pointer, words in self.FAULTS:
            with self.subTest(pointer + " " + words):
                base = {"steps": 10} if fields.get("model") != "mix" else {}
                answer = SERVER.sample({**base, **fields})
                self.assertEqual(answer.status, 422, answer)
                errors = answer.json()["errors"]
                self.assertEqual([error["pointer"] for error in errors], [pointer])
                self.assertIn(words, errors[0]["detail"])

    def test_bad_pictures_are_refused_in_ten_milliseconds(self):
        bomb = text(png(PICTURE)[:16] + struct.pack(">II", 16384, 16384) + png(PICTURE)[24:])
        late = text(png(PICTURE)[:-20])
        for name, image in (("S18", bomb), ("S19", late)):
            times = []
            for _ in range(9):
                start = time.monotonic()
                self.assertEqual(SERVER.sample({"init_image": image}).status, 422, name)
                times.append(time.monotonic() - start)
            self.assertLess(min(times), 1 if daemon.SANITIZED else .01, name)

    def test_faults_of_both_pictures_are_told_at_once(self):
        answer = SERVER.sample({"init_image": text(png(PICTURE)[:-20]), "mask": IMAGE})
        self.assertEqual([error["pointer"] for error in answer.json()["errors"]],
                         ["/init_image", "/mask"])

    def test_a_body_of_16_mebibytes_is_read(self):
        frame = json.dumps({"init_image": ""}).encode()
        body = frame[:-2] + b"A" * (16 * 1024 * 1024 - len(frame)) + frame[-2:]
        answer = SERVER.sample(body)
        self.assertEqual(answer.status, 422)
        self.assertEqual(answer.json()["errors"][0]["pointer"], "/init_image")

    def test_a_large_file_of_the_right_picture_is_taken(self):
        file = png(PICTURE)
        large = file[:33] + chunk(b"teXt", bytes(8_000_000)) + file[33:]
        self.assertEqual(pixels(init_image=text(large)), pixels(init_image=IMAGE))

    def test_the_json_beside_pictures_may_have_a_mebibyte(self):
        for spaces, status in ((1024 * 1024, 413), (1024 * 1024 - 100, 200)):
            body = json.dumps({"model": "mix", "steps": 2}).encode() + b" " * spaces
            self.assertEqual(SERVER.sample(body).status, status)


if __name__ == "__main__":
    unittest.main()
