"""How the daemon starts, refuses to start, and what its commands say."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import daemon
from daemon import Daemon, run


class Commands(unittest.TestCase):
    def test_help_lists_every_command_and_goes_to_stdout(self):
        asked = (("help",), ("--help",), ("check", "--help"), ("selftest", "-h"), ("openapi", "--help"))
        for words in asked:
            code, out, err = run(*words)
            self.assertEqual((code, err), (0, ""))
            for command in ("serve", "check", "openapi", "version", "help"):
                self.assertRegex(out, r"(?m)^  %s\b" % command)
            self.assertRegex(out, r"(?m)^  selftest .*\[.*\]\n {20}compare ")

    def test_unknown_command_prints_the_usage_on_stderr_and_exits_2(self):
        for arguments in ((), ("sevre",)):
            code, out, err = run(*arguments)
            self.assertEqual((code, out), (2, ""))
            self.assertIn("usage: denoised", err)

    def test_words_that_a_command_has_no_use_for_are_refused(self):
        for command in ("version", "openapi", "options"):
            code, out, err = run(command, "more")
            self.assertEqual((code, out), (2, ""))
            self.assertIn(f"{command} takes nothing, not 'more'", err)

    def test_version_is_printed(self):
        self.assertRegex(run("version")[1], r"^denoised \d+\.\d+\.\d+\n$")

    def test_openapi_is_what_the_daemon_serves(self):
        code, out, _ = run("openapi")
        document = json.loads(out)
        self.assertEqual(code, 0)
        self.assertTrue(document["openapi"].startswith("3.1"))
        self.assertIn("/models/{name}", document["paths"])

    def test_help_of_serve_is_printed_from_the_table_and_fits_a_terminal(self):
        code, out, _ = run("serve", "--help")
        self.assertEqual(code, 0)
        for option in ("--models DIR", "--listen ADDRESS", "--max-queue-seconds SECONDS"):
            self.assertIn(option, out)
        self.assertLessEqual(max(map(len, out.splitlines())), 120)


class Check(unittest.TestCase):
    def setUp(self):
        self.directory = daemon.make_models()
        self.addCleanup(shutil.rmtree, self.directory)

    def test_good_folder_is_ok_in_one_line(self):
        code, out, _ = run("check", self.directory / "mix")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"^ok: mix: GaussianMixture, .*sha256:[0-9a-f]{64}\n$")

    def test_broken_folder_is_refused_in_one_line_with_exit_2(self):
        broken = dict(daemon.MIXTURE, weights=[0.5, 0.8])
        daemon.write_mixture(self.directory / "broken", broken)
        code, out, _ = run("check", self.directory / "broken")
        self.assertEqual(code, 2)
        self.assertRegex(out, r"^refused: .*config\.json.*weights.*\n$")
        self.assertEqual(out.count("\n"), 1)


    def test_snapshot_of_a_cache_is_refused_and_its_copy_with_cp_rL_is_good(self):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="denoised-hub-"))
        self.addCleanup(shutil.rmtree, directory)
        snapshot = directory / "models--owner--mix" / "snapshots" / "0123abcd"
        blobs = daemon.write_mixture(directory / "models--owner--mix" / "blobs")
        snapshot.mkdir(parents=True)
        for blob in blobs.iterdir():
            (snapshot / blob.name).symlink_to(os.path.join("..", "..", "blobs", blob.name))
        code, out, _ = run("check", snapshot)
        self.assertEqual(code, 2)
        self.assertIn("leads out of the model's folder", out)
        subprocess.run("cp -rL %s/models--owner--mix/snapshots/* %s/mix" % (directory, directory),
                       shell=True, check=True)
        code, out, _ = run("check", directory / "mix")
        self.assertEqual((code, out[:8]), (0, "ok: mix:"))


class Refusals(unittest.TestCase):
    def setUp(self):
        self.directory = daemon.make_models()
        self.addCleanup(shutil.rmtree, self.directory)

    def refused(self, *arguments, saying):
        code, out, err = run("serve", *arguments)
        self.assertEqual(code, 2)
        self.assertNotIn("Traceback", err)
        self.assertRegex(err, saying)
        return out

    def test_unknown_option_is_named_with_a_suggestion(self):
        self.refused("--modles", "x", saying=r"--modles.*did you mean '--models'")

    def test_value_out_of_range_names_the_option_and_the_range(self):
        self.refused("--connections", "3", saying=r"--connections.*from 4 to 65536.*'3'")

    def test_no_models_option_is_a_sentence(self):
        self.refused(saying="say --models DIR")

    def test_foreign_address_needs_insecure(self):
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:80"):
            self.refused("--models", self.directory, "--listen", address, saying="--insecure")

    def test_address_that_is_none_is_refused(self):
        for address in ("8080", "localhost", "127.0.0.1:65536", "example.com:80", "unix:relative"):
            self.refused("--models", self.directory, "--listen", address, saying="not an address")

    def test_unknown_backend_is_named(self):
        self.refused("--models", self.directory, "--backend", "abacus", "--listen", "127.0.0.1:0",
                     saying="no backend 'abacus' here, but:")

    def test_port_in_use_ends_the_start_at_once_and_names_the_address(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            began = time.monotonic()
            out = self.refused("--models", self.directory, "--listen", address,
                               saying="%s.*in use" % address)
            self.assertLess(time.monotonic() - began, 0.5 * max(1, daemon.PATIENCE / 30))
            self.assertEqual(out, "")

    def test_no_model_left_exits_2(self):
        (self.directory / "mix" / "config.json").write_text("{")
        self.refused("--models", self.directory, "--listen", "127.0.0.1:0",
                     saying=r"(?s)model_refused.*folder=mix.*no model")

    def test_default_model_that_is_not_there_exits_2(self):
        self.refused("--models", self.directory, "--default-model", "nobody",
                     "--listen", "127.0.0.1:0", saying="nobody")

    def test_strict_models_refuses_all_for_one(self):
        daemon.write_mixture(self.directory / "broken", dict(daemon.MIXTURE, stds=[1]))
        self.refused("--models", self.directory, "--strict-models", "--listen", "127.0.0.1:0",
                     saying=r"(?s)folder=broken.*strict-models")

    def test_without_strict_models_the_others_serve(self):
        daemon.write_mixture(self.directory / "broken", dict(daemon.MIXTURE, stds=[1]))
        with Daemon(models=self.directory) as server:
            names = [model["name"] for model in server.get("/models").json()["models"]]
            self.assertEqual(names, ["mix"])
            self.assertEqual(len(server.lines("model_refused")), 1)
            self.assertIn("folder=broken", server.lines("model_refused")[0])


class Readiness(unittest.TestCase):
    def test_a_model_whose_forwards_take_long_does_not_hold_up_the_others(self):
        models = daemon.make_models("faces")
        self.addCleanup(shutil.rmtree, models)
        config = models / "faces" / "unet" / "config.json"
        config.write_text(json.dumps(dict(json.loads(config.read_text()), sample_size=256)))
        with Daemon("--max-request-seconds", "1", models=models) as server:
            self.assertEqual(server.get("/models/faces").json()["step_ms"], {})  # not tried
            self.assertNotEqual(server.get("/models/mix").json()["step_ms"], {})
            self.assertEqual(server.sample({"model": "mix", "steps": 1}).status, 200)
            answer = server.sample({"model": "faces", "steps": 1})
            self.assertEqual(answer.status, 422)
            self.assertRegex(answer.json()["errors"][0]["detail"], "needs about [0-9.]+ s, above")


class Options(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def in_force(self, *arguments, environment=None):
        code, out, err = run("serve", "--models", "m", "--check-config", *arguments,
                             environment=environment)
        self.assertEqual(code, 0, err)
        return out

    def test_flags_beat_the_environment_which_beats_the_file(self):
        config = self.directory / "denoised.conf"
        config.write_text("# a comment\nmax-n = 10\nmax-points = 11 # why\nthreads = 1\n")
        out = self.in_force("--config", config, "--max-n", "30",
                            environment={"DENOISED_MAX_N": "20", "DENOISED_MAX_POINTS": "21"})
        self.assertIn("max-n = 30  # flag\n", out)
        self.assertIn("max-points = 21  # environment\n", out)
        self.assertIn("threads = 1  # file\n", out)
        self.assertIn("connections = 1000  # default\n", out)

    def test_what_check_config_prints_can_be_read_back(self):
        config = self.directory / "denoised.conf"
        config.write_text(self.in_force("--max-n", "30", "--host-name", "a,b"))
        code, out, err = run("serve", "--config", config, "--check-config")
        self.assertEqual(code, 0, err)
        self.assertIn("max-n = 30  # file\n", out)
        self.assertIn("host-name = a,b  # file\n", out)

    def test_unknown_key_in_the_file_names_file_line_and_key(self):
        config = self.directory / "denoised.conf"
        config.write_text("\nthread = 1\n")
        code, _, err = run("serve", "--config", config)
        self.assertEqual(code, 2)
        self.assertRegex(err, r"denoised\.conf:2.*thread.*did you mean 'threads'")

    def test_missing_file_is_named(self):
        code, _, err = run("serve", "--config", self.directory / "none.conf")
        self.assertEqual(code, 2)
        self.assertIn("none.conf", err)


class Addresses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.models = daemon.make_models()
        cls.addClassCleanup(shutil.rmtree, cls.models)

    def test_unix_socket_serves_and_is_removed(self):
        path = str(self.models / "denoised.sock")
        for _ in range(2):
            server = Daemon(models=self.models, listen="unix:" + path, ready=False)
            data, _ = server.raw(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
                                 b"Connection: close\r\n\r\n")
            self.assertEqual(daemon.statuses(data), [200])
            self.assertEqual(server.stop(), 0)
            self.assertFalse(os.path.exists(path))

    def test_socket_of_a_dead_daemon_is_taken_over(self):
        path = str(self.models / "dead.sock")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        server = Daemon(models=self.models, listen="unix:" + path, ready=False)
        self.assertEqual(server.stop(), 0)

    def test_dual_stack_listener_answers_both(self):
        try:
            server = Daemon("--insecure", models=self.models, ready=False, listen="[::]:0")
        except AssertionError as error:
            if "Address family not supported" in str(error):
                self.skipTest("no IPv6 here")
            raise
        port = server.address[1]
        for host in ("127.0.0.1", "::1"):
            answer = server.request("GET", "/livez", address=(host, port))
            self.assertEqual(answer.status, 200)
        self.assertEqual(server.stop(), 0)

    def test_socket_activation_takes_the_socket_handed_over(self):
        with socket.socket() as socket_of_manager:
            socket_of_manager.bind(("127.0.0.1", 0))
            socket_of_manager.listen()
            port = socket_of_manager.getsockname()[1]
            script = ("import os,sys\n"
                      "os.dup2(int(sys.argv[1]), 3)\n"
                      "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\n"
                      "os.execv(sys.argv[2], sys.argv[2:])\n")
            process = subprocess.Popen(
                ["python3", "-c", script, str(socket_of_manager.fileno()), daemon.BINARY, "serve",
                 "--models", str(self.models)],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                pass_fds=(socket_of_manager.fileno(),))
            self.assertEqual(process.stdout.readline(),
                             "listening on http://127.0.0.1:%d\n" % port)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(daemon.PATIENCE), 0)
            process.stdout.close()


if __name__ == "__main__":
    unittest.main()
