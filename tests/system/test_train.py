"""`denoised train`: what it refuses, how it is stopped and goes on, and that its model is served."""

import ctypes
import fcntl
import json
import math
import os
import pathlib
import pty
import re
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest

import daemon
from daemon import Daemon, wait_for

SMALL = ["--hidden", "16,16", "--batch", "32"]
DATA = ["two-gaussians", "8-gaussians", "swiss-roll", "annulus-to-spiral", "10-points", "heart",
        "spiral", "moons", "ring", "cross", "smiley", "star", "checkerboard", "shapes"]
OBJECTIVES = ["eps", "x0", "v", "bound", "denoising", "implicit", "sliced", "flow"]
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2  # root would be let in everywhere
WEIGHTS = "model/diffusion_pytorch_model.safetensors"


def files(folder):
    """Every file below, by its path, but the hidden ones of a write that was cut."""
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")}


class Training(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="denoised-train-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.out = self.directory / "model"

    def start(self, *arguments, out=None, **options):
        command = [daemon.BINARY, "train", "--out", str(out or self.out), *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def train(self, *arguments, out=None, code=0, **options):
        """Until it ends; what it said on both streams."""
        process = self.start(*arguments, out=out, **options)
        said, complained = process.communicate(timeout=2 * daemon.PATIENCE)
        self.assertEqual(process.returncode, code, complained.decode())
        return said.decode(), complained.decode()

    def write(self, text, name="points.csv"):
        path = self.directory / name
        path.write_text(text)
        return path


class Refused(Training):
    def check(self, arguments, *words):
        before = files(self.directory)
        said, complained = self.train(*arguments, code=2)
        self.assertEqual(said, "")
        for word in ("denoised: ", *words):
            self.assertIn(word, complained)
        self.assertEqual(files(self.directory), before)
        self.assertFalse(self.out.exists())

    def test_what_it_does_not_know_is_named_with_what_there_is(self):
        for arguments, words in (
                ([], ["--data", "`denoised train --help` lists the options"]),
                (["--data", "moon"], ["'moon'", *DATA, "FILE.csv"]),
                (["--data", "moons", "--objective", "ddpm"], ["--objective", *OBJECTIVES, "'ddpm'"]),
                (["--data", "moons", "--activation", "sin"], ["--activation", "silu, gelu", "'sin'"]),
                (["--data", "moons", "--rat", "1"], ["'--rat'", "--help"]),
                (["--data", "moons", "fast"], ["'fast'"]),
                (["--data", "moons", "--data", "ring"], ["--data is said twice: 'moons', then 'ring'"]),
                (["--data", "moons", "--seed"], ["--seed needs"]),
                (["--resume"], ["checkpoint.safetensors", "nothing to resume"])):
            with self.subTest(arguments):
                self.check(arguments, *words)

    def check_flag(self, arguments, *words):
        code, said, complained = daemon.run("train", *arguments)
        self.assertEqual((code, said), (2, ""))
        for word in words:
            self.assertIn(word, complained)

    def test_every_flag_says_what_was_given_and_what_it_may_be(self):
        _, text, _ = daemon.run("train", "--help")
        flags = dict(re.findall(r"(?m)^  --([a-z-]+) ([A-Z]\S*)", text))
        self.assertGreater(len(flags), 15)
        wrong = {"N": ["", "-1", "1.5", "0x10", " 5", "+5", "nan", "1e3", "9" * 20],
                 "X": ["", "-1", "0x1p-3", " .5", "+.5", "nan", "inf", ".5x", "1e-400", "1e400", "e5"]}
        for flag, kind in flags.items():
            for value in wrong.get(kind, ["", "x" * 501]):
                with self.subTest(flag=flag, value=value):
                    self.check_flag([f"--{flag}", value], f"--{flag} must be ", f"not '{value[:60]}'")
            self.check_flag([f"--{flag}"], f"--{flag} needs ")
        for flag, first, second in (("seed", "1", "2"), ("hidden", "8,9", "9"), ("rate", "1", ".5")):
            self.check_flag([f"--{flag}={first}", f"--{flag}", second],
                       f"--{flag} is said twice: '{first}', then '{second}'")

    def test_as_many_steps_of_noise_as_can_be_asked_for_make_a_model(self):
        for objective in ("eps", "flow"):
            self.train("--data", "moons", *SMALL, "--iterations", 1, "--objective", objective,
                       "--timesteps", 8600, out=self.directory / objective)

    def test_numbers_out_of_their_range_are_named_with_it(self):
        for flag, value in (("hidden", "0"), ("hidden", "8,"), ("hidden", "4097"),
                            ("hidden", ",".join(["4"] * 17)), ("time-dim", "3"), ("time-dim", "0"), ("time-dim", "1026"),
                            ("iterations", "0"), ("iterations", "1e3"), ("batch", "-1"),
                            ("rate", "0"), ("rate", "nan"), ("rate", "2"), ("average", "1"),
                            ("class-drop", "1"), ("timesteps", "1"), ("timesteps", "8601"),
                            ("seed", "4294967296"), ("seed", "-1"), ("checkpoint", "x"), ("threads", "257"),
                            ("clip-norm", "-1"), ("clip-norm", "nan")):
            with self.subTest(flag=flag, value=value):
                self.check(["--data", "moons", f"--{flag}={value}"], f"--{flag} must be", f"not '{value}'")

    def test_a_file_is_refused_by_its_line(self):
        for text, words in (
                ("x,y\n1,2\n3\n", ["points.csv:3:", "1 column", "has 2"]),
                ("1,2\n3,four\n", ["points.csv:2:", "column 2", "'four'", "not a number"]),
                ("1,2\nNaN,4\n", ["points.csv:2:", "column 1", "finite"]),
                ("1,2\n", ["points.csv:", "1 points", "at least 2"]),
                ("1,2\n3,\x1b[31m\n", ["points.csv:2:", "'?[31m'"])):
            with self.subTest(text):
                self.check(["--data", self.write(text)], *words)
        self.check(["--data", self.directory / "none.csv"], "none.csv", "No such file")

    def test_ten_million_rows_are_refused_before_they_are_read(self):
        path = self.write("")
        with path.open("w") as file:
            for _ in range(100):
                file.write("0.5\n" * 100000)
        start = time.monotonic()
        process = self.start("--data", path)
        _, status, used = os.wait4(process.pid, 0)
        complained = process.stderr.read().decode()
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(process.returncode, 2)
        self.assertIn("points.csv:1000001: more than 1000000 points", complained)
        self.assertLess(time.monotonic() - start, daemon.PATIENCE)
        if not daemon.SANITIZED:
            self.assertLess(used.ru_maxrss, 64 * 1024)

    def test_a_folder_that_is_there_stays_as_it_is(self):
        self.out.mkdir()
        (self.out / "mine").write_text("keep")
        _, complained = self.train("--data", "moons", code=2)
        self.assertIn("is there already", complained)
        self.assertEqual(files(self.out), {"mine": b"keep"})

    def test_a_folder_that_cannot_be_written_into_is_refused_before_anything_is_learned(self):
        def heed_permissions():
            for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
                ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)

        self.out.mkdir()
        self.out.chmod(0o555)
        _, complained = self.train("--data", "moons", code=2, preexec_fn=heed_permissions)
        self.assertIn(f"{self.out}: cannot be written into: Permission denied", complained)
        self.assertEqual(files(self.out), {})
        self.out.chmod(0o000)
        _, complained = self.train("--data", "moons", code=2, preexec_fn=heed_permissions)
        self.assertIn(f"{self.out}: cannot be opened: Permission denied", complained)

    def test_names_that_no_model_may_have(self):
        for name in (".hidden", "a b", "x" * 65):
            with self.subTest(name):
                _, complained = self.train("--data", "moons", out=self.directory / name, code=2)
                self.assertIn("a model's folder is named by", complained)
        _, complained = self.train("--data", "moons", out=self.directory / "no" / "model", code=2)
        self.assertIn("there is no folder around it", complained)


class Learned(Training):
    def test_help_names_all_data_and_objectives_and_fits_a_terminal(self):
        code, out, _ = daemon.run("train", "--help")
        self.assertEqual(code, 0)
        for word in (*DATA, *OBJECTIVES, "--resume", "Exit codes: 0", "The noise follows from the objective"):
            self.assertRegex(out, r"(?m)(^|\s)%s\b" % word)
        self.assertLessEqual(max(map(len, out.splitlines())), 110)

    def test_two_gaussians_are_learned_served_and_sampled(self):
        said, complained = self.train("--data", "two-gaussians", "--hidden", "32,32", "--batch", 256,
                                      "--iterations", 1500)
        self.assertRegex(complained, r"iteration 1500 of 1500  loss 0\.3\d+  rate 0\.00e\+00  0 s left\n$")
        digest = said.strip().split("sha256:")[1]
        with Daemon(models=self.directory) as served:
            model = served.get("/models/model").json()
            self.assertEqual(model["digest"].split(":")[-1], digest)
            self.assertIn("--seed 0; loss 0.3", model["description"])
            points = served.sample({"n": 2000, "seed": 1, "sampler": "ddim", "steps": 50}).json()["points"]
        share = sum(x + y > 0 for x, y in points) / len(points)
        self.assertAlmostEqual(share, 0.2, delta=0.08)
        for sign in (1, -1):
            side = [(x + y) / 2 for x, y in points if sign * (x + y) > 0]
            self.assertAlmostEqual(sum(side) / len(side), 3 * sign, delta=0.5)

    def test_classes_of_a_file_can_be_asked_for_by_name(self):
        rows = "".join(f"{x},{kind}\n" for x in (1, 1.5, 2) for kind in ("right",)) * 20
        rows += rows.replace("right", "left").replace("1", "-1").replace("2", "-2")
        self.train("--data", self.write("x,class\n" + rows), *SMALL, "--iterations", 800)
        with Daemon(models=self.directory) as served:
            model = served.get("/models/model").json()
            self.assertEqual((model["classes"], model["null_class"]), (["left", "right"], 2))
            for name, sign in (("left", -1), ("right", 1)):
                points = served.sample({"n": 100, "seed": 1, "class": name, "guidance": 1.5,
                                                 "sampler": "ddim", "steps": 20}).json()["points"]
                self.assertGreater(sum(sign * x > 0 for x, in points), 80)

    def test_each_objective_makes_a_model_that_samples(self):
        for objective in OBJECTIVES:
            self.train("--data", "moons", *SMALL, "--objective", objective, "--iterations", 20,
                       out=self.directory / objective)
        self.train("--data", "annulus-to-spiral", *SMALL, "--iterations", 20,
                   out=self.directory / "annulus")
        with Daemon(models=self.directory) as served:
            for name in (*OBJECTIVES, "annulus"):
                with self.subTest(name):
                    points = served.sample({"model": name, "n": 4, "steps": 10}).json()["points"]
                    self.assertTrue(all(math.isfinite(value) for point in points for value in point))
            self.assertEqual(served.get("/models/annulus").json()["samplers"][0]["name"], "flow_euler")

    def test_what_would_spoil_samples_of_a_good_network_is_said(self):
        for name, arguments, words in (
                ("short", ["--data", "two-gaussians", "--timesteps", "100"], "3.7 nats from pure noise"),
                ("large", ["--data", self.write("900\n-900\n")], "nats from pure noise"),
                ("small", ["--data", self.write("0.001\n-.001\n", "small.csv")], "the points are small"),
                ("good", ["--data", "two-gaussians"], None)):
            with self.subTest(name):
                _, complained = self.train(*arguments, *SMALL, "--iterations", 1, out=self.directory / name)
                self.assertEqual("warning" in complained, words is not None)
                self.assertIn(words or "", complained)

    def test_equal_seeds_give_equal_files_and_others_give_others(self):
        made = {}
        for name, seed in (("a", 5), ("b", 5), ("c", 6)):
            self.train("--data", "moons", *SMALL, "--iterations", 30, "--seed", seed,
                       out=self.directory / name)
            made[name] = files(self.directory / name)
        self.assertEqual(made["a"], made["b"])
        self.assertNotEqual(made["a"][WEIGHTS], made["c"][WEIGHTS])

    def test_any_number_of_threads_gives_equal_files(self):
        made = []
        for threads in (1, 2, 256):
            out = self.directory / f"with-{threads}"
            self.train("--data", "shapes", "--hidden", "16,16", "--batch", 200, "--iterations", 30,
                       "--threads", threads, out=out)
            made.append(files(out))
        self.assertEqual(made[0], made[1])
        self.assertEqual(made[0], made[2])

    def test_as_many_threads_learn_as_are_asked_for_but_four_at_most(self):
        for asked, there in ((1, []), (2, ["denoised-1"]),
                             (9, ["denoised-1", "denoised-2", "denoised-3"])):
            with self.subTest(asked):
                process = self.start("--data", "moons", *SMALL, "--iterations", 100000000,
                                     "--checkpoint", 20, "--threads", asked)
                wait_for((self.out / "checkpoint.safetensors").exists, "the first checkpoint")
                names = [task.read_text().strip()
                         for task in pathlib.Path(f"/proc/{process.pid}/task").glob("*/comm")]
                process.terminate()
                process.communicate(timeout=daemon.PATIENCE)
                self.assertEqual(sorted(name for name in names if name.startswith("denoised-")), there)
                shutil.rmtree(self.out)

    def test_a_terminal_gets_a_bar(self):
        leader, follower = pty.openpty()
        process = self.start("--data", "moons", *SMALL, "--iterations", 50)
        process.communicate()
        process = subprocess.Popen([daemon.BINARY, "train", "--data", "moons", *SMALL, "--iterations",
                                    "50", "--out", str(self.directory / "tty")],
                                   stdout=subprocess.DEVNULL, stderr=follower)
        os.close(follower)
        process.wait(daemon.PATIENCE)
        shown = os.read(leader, 65536).decode()
        os.close(leader)
        self.assertIn("\r\x1b[K[########################] 100 %  loss ", shown)
        self.assertIn("0 s left\r\n", shown)

    def test_a_bar_fits_into_its_terminal_and_complaints_take_its_place(self):
        for columns in (0, 79, 75, 40, 200):
            with self.subTest(columns):
                leader, follower = pty.openpty()
                fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
                process = subprocess.Popen(
                    [daemon.BINARY, "train", "--data", "moons", *SMALL, "--iterations", "50", "--clip-norm",
                     "1", "--checkpoint", "20", "--out", str(self.out)], stdout=subprocess.DEVNULL,
                    stderr=follower, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9)))
                os.close(follower)
                process.wait(daemon.PATIENCE)
                shown = os.read(leader, 65536).decode()
                os.close(leader)
                last = re.search(r"\r\x1b\[K(\[#*\] 100 %  loss [^\r]*)\r\n", shown).group(1)
                self.assertEqual(len(last), (columns or 80) - 1 if columns < 200 else len(last))
                self.assertEqual("[" + 24 * "#" + "]" in last, columns == 200)
                self.assertEqual("[]" in last, columns == 40)
                self.assertIn("\r\x1b[Kdenoised: ", shown)


class Stopped(Training):
    """In the middle of a training that would take all day."""

    LONG = ["--data", "moons", *SMALL, "--iterations", "100000000", "--checkpoint", "20"]
    SHORT = ["--data", "shapes", *SMALL, "--iterations", "400", "--checkpoint", "50"]

    def stop(self, process, number):
        """Once there is a checkpoint."""
        wait_for((self.out / "checkpoint.safetensors").exists, "the first checkpoint")
        process.send_signal(number)
        return process.communicate(timeout=daemon.PATIENCE)

    def test_ctrl_c_and_sigterm_keep_what_is_learned_and_say_so(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                process = self.start(*self.LONG)
                said, complained = self.stop(process, number)
                self.assertEqual(process.returncode, 3)
                self.assertRegex(complained.decode(), r"stopped after \d+ of 100000000 iterations\. What was "
                                                      r"learned is kept; .* --resume\n$")
                self.assertIn(b"sha256:", said)
                self.assertEqual(daemon.run("check", self.out)[0], 0)
                card = json.loads((self.out / "denoised.json").read_text())
                self.assertRegex(card["description"], r"stopped after \d+ iterations")
                shutil.rmtree(self.out)

    def test_a_terminal_that_goes_stops_it_but_not_under_nohup(self):
        def heed():
            signal.signal(signal.SIGHUP, signal.SIG_DFL)

        def ignore():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

        process = self.start(*self.LONG, preexec_fn=heed)
        self.stop(process, signal.SIGHUP)
        self.assertEqual(process.returncode, 3)
        shutil.rmtree(self.out)
        process = self.start(*self.LONG, preexec_fn=ignore)
        wait_for((self.out / "checkpoint.safetensors").exists, "the first checkpoint")
        process.send_signal(signal.SIGHUP)
        said, complained = self.stop(process, signal.SIGTERM)
        self.assertEqual(process.returncode, 3)
        self.assertIn(b"stopped after", complained)

    def test_a_stopped_training_goes_on_as_if_nothing_had_been(self):
        self.train(*self.SHORT, out=self.directory / "whole")
        whole = files(self.directory / "whole")
        for number in (signal.SIGINT, signal.SIGKILL):
            with self.subTest(number):
                process = self.start(*self.SHORT)
                self.stop(process, number)
                self.train("--resume")
                self.assertEqual(files(self.out), whole)
                shutil.rmtree(self.out)

    def test_a_training_that_runs_away_keeps_its_checkpoint_and_writes_no_model(self):
        wild = ["--data", self.write("1e6,-1e6\n-1e6,1e6\n"), "--objective", "flow", "--rate", 1,
                "--activation", "relu", "--hidden", ",".join(["64"] * 8), "--batch", 256,
                "--iterations", 200]
        said, complained = self.train(*wild, "--checkpoint", 1, code=1)
        self.assertEqual(said, "")
        self.assertRegex(complained, r"the training ran away: after \d+ iterations .* --rate, or with --clip-norm 1\n$")
        self.assertNotIn("norm", complained.split("denoised:")[0])
        self.assertEqual(list(files(self.out)), ["checkpoint.safetensors"])
        _, complained = self.train("--resume", code=1)
        self.assertIn("the training ran away", complained)
        _, complained = self.train(*wild, "--clip-norm", 1, out=self.directory / "tame")
        self.assertRegex(complained, r"iteration 200 of 200  loss \S+  rate \S+  norm \S+  0 s left\n$")

    def test_killed_while_it_writes_its_model_it_goes_on_to_equal_files(self):
        short = ["--data", "shapes", *SMALL, "--iterations", 20, "--checkpoint", 5]
        self.train(*short, out=self.directory / "whole")
        whole = files(self.directory / "whole")
        for seen in ("model/config.json", "scheduler", "denoised.json", "model_index.json"):
            with self.subTest(seen):
                process = self.start(*short)
                wait_for((self.out / seen).exists, seen)
                process.kill()
                process.communicate(timeout=daemon.PATIENCE)
                self.train("--resume")
                self.assertEqual(files(self.out), whole)
                self.assertEqual([path for path in self.out.rglob(".*")], [])
                shutil.rmtree(self.out)

    def test_killed_before_its_first_checkpoint_it_begins_again(self):
        process = self.start("--data", "shapes", *SMALL, "--iterations", 100000000, "--checkpoint", 0)
        wait_for(self.out.exists, "the folder")
        process.kill()
        process.communicate(timeout=daemon.PATIENCE)
        (self.out / ".checkpoint.safetensors.partial").write_text("cut")
        _, complained = self.train("--resume", code=2)
        self.assertIn("nothing to resume, say what to train without --resume", complained)
        self.train(*self.SHORT)
        self.train(*self.SHORT, out=self.directory / "whole")
        self.assertEqual(files(self.out), files(self.directory / "whole"))
        self.assertFalse((self.out / ".checkpoint.safetensors.partial").exists())

    def test_only_the_same_training_is_resumed(self):
        path = self.write("1\n2\n3\n")
        self.train("--data", path, *SMALL, "--iterations", 20)
        before = files(self.out)
        for arguments, words in ((["--rate", ".1"], ["--rate is 0.1", "began with 0.005"]),
                                 (["--data", "moons"], ["not the points that the training began with"])):
            _, complained = self.train("--resume", *arguments, code=2)
            for word in words:
                self.assertIn(word, complained)
        self.train("--resume", "--rate", "5e-3")
        path = path.rename(self.directory / "moved.csv")
        self.train("--resume", "--data", path)
        path.write_text("1\n2\n3.5\n")
        _, complained = self.train("--resume", code=2)
        self.assertIn("not the points", complained)
        self.assertEqual(files(self.out)[WEIGHTS], before[WEIGHTS])

    def test_a_damaged_checkpoint_is_refused_by_its_name_and_stays(self):
        self.train("--data", "moons", *SMALL, "--iterations", 20)
        path = self.out / "checkpoint.safetensors"
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        before = files(self.out)
        said, complained = self.train("--resume", code=2)
        self.assertEqual(said, "")
        self.assertIn(f"{path}: is damaged", complained)
        self.assertEqual(files(self.out), before)

    def test_two_trainings_do_not_write_into_one_folder(self):
        process = self.start(*self.LONG)
        wait_for((self.out / "checkpoint.safetensors").exists, "the first checkpoint")
        for asked in (["--resume"], ["--data", "moons"]):
            _, complained = self.train(*asked, code=2)
            self.assertIn("another training writes into it", complained)
        self.stop(process, signal.SIGTERM)
        self.assertEqual(process.returncode, 3)

    def test_a_full_disk_costs_no_checkpoint(self):
        self.train(*self.SHORT, out=self.directory / "whole")
        process = self.start(*self.SHORT)
        self.stop(process, signal.SIGKILL)
        before = (self.out / "checkpoint.safetensors").read_bytes()

        def fill_disk():
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

        said, complained = self.train("--resume", code=1, preexec_fn=fill_disk)
        self.assertEqual(said, "")
        self.assertIn("checkpoint.safetensors: cannot be written: File too large", complained)
        self.assertEqual(files(self.out), {"checkpoint.safetensors": before})
        self.train("--resume")
        self.assertEqual(files(self.out), files(self.directory / "whole"))

    def test_a_disk_without_room_for_a_first_file_leaves_no_folder(self):
        def fill_disk():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

        _, complained = self.train(*self.SHORT, code=1, preexec_fn=fill_disk)
        self.assertIn("cannot be written", complained)
        self.assertFalse(self.out.exists())
        self.train(*self.SHORT)

    def test_points_at_the_limit_of_numbers_make_a_model(self):
        path = self.write("1e6,-1e6\n-1e6,1e6\n")
        self.train("--data", path, *SMALL, "--iterations", 3)


if __name__ == "__main__":
    unittest.main()
