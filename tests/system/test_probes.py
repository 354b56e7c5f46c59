"""Probes, facts, metrics and the admin listener."""

import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

import daemon
from daemon import Daemon, statuses

MODELS = None
SERVER = None
GETS = ["/livez", "/readyz", "/startupz", "/health", "/models", "/models/mix", "/metrics",
        "/openapi.json", "/version", "/", "/page.js", "/page.css"]


def setUpModule():
    global MODELS, SERVER
    MODELS = daemon.make_models()
    SERVER = Daemon("--admin-listen", "127.0.0.1:0", models=MODELS)


def tearDownModule():
    code = SERVER.stop()
    shutil.rmtree(MODELS)
    assert code == 0, code


class Facts(unittest.TestCase):
    def test_every_get_answers_and_head_answers_the_same_without_a_body(self):
        for path in GETS:
            with self.subTest(path):
                got, head = SERVER.get(path), SERVER.request("HEAD", path)
                self.assertEqual((got.status, head.status), (200, 200))
                self.assertTrue(got.body)
                self.assertEqual(head.body, b"")
                self.assertEqual(got.header("content-type"), head.header("content-type"))
                self.assertEqual(got.header("x-content-type-options"), "nosniff")

    def test_json_answers_are_json(self):
        for path in GETS:
            answer = SERVER.get(path)
            if answer.header("content-type") == "application/json":
                answer.json()

    def test_probes_say_ok(self):
        self.assertEqual(SERVER.get("/health").json(), {"status": "ok"})
        self.assertEqual(SERVER.get("/readyz").json(), {"status": "ok", "reasons": []})

    def test_models_tells_default_digest_and_samplers(self):
        models = SERVER.get("/models").json()
        self.assertEqual(models["default"], "mix")
        self.assertEqual(models["models"][0], SERVER.get("/models/mix").json())
        self.assertLessEqual({"ddpm", "ddim"},
                             {sampler["name"] for sampler in models["models"][0]["samplers"]})

    def test_model_that_is_not_there_is_404(self):
        self.assertEqual(SERVER.get("/models/none").json()["code"], "model_not_found")
        self.assertEqual(SERVER.get("/models/").json()["code"], "not_found")
        self.assertEqual(SERVER.get("/models/a/b").json()["code"], "not_found")

    def test_openapi_has_every_path(self):
        paths = set(SERVER.get("/openapi.json").json()["paths"])
        self.assertLessEqual(set(GETS) - {"/models/mix"} | {"/models/{name}", "/sample"}, paths)

    def test_page_may_load_its_own_things_only(self):
        answer = SERVER.get("/")
        policy = answer.header("content-security-policy")
        self.assertTrue(policy.startswith("default-src 'none'; script-src 'self'"))
        self.assertIn("frame-ancestors 'none'", policy)
        self.assertEqual(answer.header("x-frame-options"), "DENY")
        self.assertEqual(answer.header("referrer-policy"), "no-referrer")


class Loading(unittest.TestCase):
    """With so many models that the first requests come before the last of them."""

    @classmethod
    def setUpClass(cls):
        cls.models = pathlib.Path(tempfile.mkdtemp(prefix="denoised-many-"))
        cls.addClassCleanup(shutil.rmtree, cls.models)
        for i in range(50):
            daemon.write_mixture(cls.models / ("m%d" % i))

    def answers(self, server):
        return {path: server.get(path).status for path in GETS if "mix" not in path}

    def test_probes_answer_and_work_is_503_while_models_load(self):
        for _ in range(10):  # in case this process was not run for that long
            with Daemon(models=self.models, ready=False) as server:
                sample, answers = server.sample({"steps": 1}), self.answers(server)
                loading = server.get("/readyz")
                if loading.status == 503:
                    break
        self.assertEqual((sample.status, sample.json()["code"]), (503, "loading"))
        self.assertEqual(sample.header("retry-after"), "1")
        self.assertEqual(loading.json()["reasons"], ["loading"])
        refused = {path for path, status in answers.items() if status == 503}
        self.assertEqual(refused, {"/readyz", "/startupz", "/health", "/models"})
        self.assertEqual(set(answers.values()), {200, 503})

    def test_stop_while_models_load_ends_well(self):
        server = Daemon("--drain-delay", "0", models=self.models, ready=False)
        self.assertEqual(server.stop(signal.SIGTERM), 0)


class Metrics(unittest.TestCase):
    SERIES = """
        denoised_requests_total denoised_request_seconds denoised_queue_seconds
        denoised_queue_rows denoised_backlog_seconds denoised_rows_running denoised_batch_rows
        denoised_steps_total denoised_row_steps_total denoised_step_seconds
        denoised_samples_total denoised_rejected_total denoised_cancelled_total
        denoised_wasted_row_steps_total denoised_encode_seconds denoised_model_info
        denoised_model_bytes denoised_model_load_seconds denoised_connections denoised_draining
        denoised_build_info process_cpu_seconds_total process_resident_memory_bytes
        process_open_fds process_max_fds process_start_time_seconds""".split()

    def test_all_series_exist_from_the_start(self):
        with Daemon(models=MODELS) as server:
            text = server.get("/metrics").body.decode()
        for name in self.SERIES:
            with self.subTest(name):
                self.assertRegex(text, r"(?m)^# TYPE %s (counter|gauge|histogram)$" % name)
                self.assertRegex(text, r"(?m)^%s(_bucket)?[{ ]" % name)
        self.assertRegex(text, r'(?m)^denoised_samples_total\{model="mix",sampler="ddim"\} 0$')
        self.assertNotIn('sampler="flow_euler"', text)  # it does not run on this model's noise

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_promtool_has_nothing_to_say(self):
        done = subprocess.run(["promtool", "check", "metrics"], capture_output=True,
                              input=SERVER.get("/metrics").body, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, b""))

    def test_a_request_is_counted_where_it_belongs(self):
        def counts():
            return [
                SERVER.metric("denoised_requests_total", route="/sample", code="200"),
                SERVER.metric("denoised_request_seconds_count", route="/sample"),
                SERVER.metric("denoised_samples_total", model="mix", sampler="ddim"),
                SERVER.metric("denoised_row_steps_total", model="mix", sampler="ddim"),
                SERVER.metric("denoised_queue_seconds_count"),
                SERVER.metric("denoised_encode_seconds_count", format="json"),
            ]

        before = counts()
        answer = SERVER.sample({"n": 3, "steps": 5, "sampler": "ddim", "seed": 1})
        self.assertEqual(answer.status, 200)
        daemon.wait_for(lambda: counts()[0] > before[0], "the request to be counted")
        self.assertEqual([now - then for now, then in zip(counts(), before)], [1, 1, 3, 15, 1, 1])

    def test_refusals_are_counted_by_code(self):
        before = SERVER.metric("denoised_rejected_total", reason="invalid_parameter")
        self.assertEqual(SERVER.sample({"n": 0}).status, 422)
        after = SERVER.metric("denoised_rejected_total", reason="invalid_parameter")
        self.assertEqual(after - before, 1)


class Admin(unittest.TestCase):
    def test_admin_listener_has_probes_and_metrics_and_nothing_else(self):
        address = SERVER.admin()
        for path in ("/livez", "/readyz", "/startupz", "/health", "/metrics"):
            for method in ("GET", "HEAD"):
                self.assertEqual(SERVER.request(method, path, address=address).status, 200, path)
        for path in ("/models", "/sample", "/", "/reload"):
            for method in ("GET", "POST", "PUT"):
                answer = SERVER.request(method, path, address=address)
                self.assertEqual((answer.status, answer.header("allow")), (404, None), path)
        answer = SERVER.request("POST", "/livez", address=address)
        self.assertEqual((answer.status, answer.header("allow")), (405, "GET, HEAD"))
        answer = SERVER.request("GET", "/livez", headers={"Host": "evil.com"}, address=address)
        self.assertEqual(answer.status, 403)

    def test_admin_listener_tells_of_any_number_of_parameters(self):
        for count, status in ((64, 422), (65, 414), (130, 414), (3000, 414)):
            answer = SERVER.request("GET", "/livez?" + "&".join(["a"] * count),
                                    address=SERVER.admin())
            self.assertEqual(answer.status, status, count)
            self.assertEqual(answer.header("Content-Type"), "application/problem+json")

    def test_admin_listener_answers_when_the_main_port_is_full(self):
        with Daemon("--connections", "4", "--admin-listen", "127.0.0.1:0", models=MODELS,
                    ready=False) as server:
            address = server.admin()
            daemon.wait_for(
                lambda: server.request("GET", "/readyz", address=address).status == 200, "ready")
            held = [server.connect() for _ in range(8)]
            for connection in held[:4]:
                connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertEqual(statuses(connection.recv(4096)), [200])
            self.assertEqual(server.request("GET", "/livez", address=address).status, 200)
            text = server.request("GET", "/metrics", address=address).body.decode()
            self.assertIn("\ndenoised_connections 4\n", text)
            for connection in held:
                connection.close()


if __name__ == "__main__":
    unittest.main()
