"""Many clients at once, clients that leave, a full queue, a stop in the middle of it."""

import json
import shutil
import signal
import socket
import subprocess
import time
import unittest

import daemon
from daemon import Daemon, all_clients, post, receive_all, statuses, wait_for

MODELS = None
SLOW = max(1.0, daemon.PATIENCE / 30)  # how much slower than usual this run may be


def setUpModule():
    global MODELS
    MODELS = daemon.make_models("faces", "mixture", "shapes")


def tearDownModule():
    shutil.rmtree(MODELS)


# Points for seconds: to be left, refused or cut, never waited for. A sanitized build would take
# hours and must accept them all the same.
PATIENT = ("--max-request-seconds", "1000000", "--max-queue-seconds", "1000000")
LONG = {"model": "mix", "n": 100_000, "steps": 1000, "sampler": "ddpm", "seed": 1}


class Many(unittest.TestCase):
    def test_200_clients_with_3_keep_alive_requests_each_lose_no_wake_up(self):
        with Daemon(models=MODELS) as server:
            bodies = [[{"model": "mix", "steps": 1, "seed": 3 * i + j} for j in range(3)]
                      for i in range(200)]
            began = time.monotonic()
            answers = all_clients(server.address, bodies)
            self.assertLess(time.monotonic() - began, 2 * SLOW)
            for asked, got in zip(bodies, answers):
                for body, answer in zip(asked, got):
                    self.assertEqual(answer.status, 200)
                    self.assertEqual(answer.json()["params"]["seeds"], [body["seed"]])

    KINDS = [
        {"model": "mix", "sampler": "ddpm", "steps": 40, "n": 3},
        {"model": "mix", "sampler": "ddim", "steps": 7, "n": 2, "spacing": "trailing"},
        {"model": "mixture", "sampler": "ddim", "steps": 11, "eta": 0.5},
        {"model": "mixture", "sampler": "ddpm", "steps": 5, "variance_type": "fixed_large"},
        {"model": "shapes", "class": "ring", "guidance": 1.5, "steps": 9, "n": 4},
        {"model": "shapes", "class": [None, 3], "sampler": "ddpm", "steps": 20, "n": 2},
        {"model": "faces", "sampler": "ddim", "steps": 2, "format": "json", "class": "hat"},
        {"model": "faces", "sampler": "ddpm", "steps": 3, "format": "json", "guidance": 1},
    ]

    def test_200_concurrent_mixed_requests_are_all_answered_right(self):
        bodies = [dict(kind, seed=seed) for seed in range(5) for kind in self.KINDS]
        with Daemon(models=MODELS) as server:
            alone = [server.sample(body).json() for body in bodies]
            answers = all_clients(server.address, [[body] for body in bodies * 5])
            self.assertEqual(server.metric("denoised_rejected_total"), 0)
        for body, expected, [answer] in zip(bodies * 5, alone * 5, answers, strict=True):
            self.assertEqual(answer.status, 200)
            found = answer.json()
            for key in ("points", "samples", "sha256", "params"):
                self.assertEqual(found.get(key), expected.get(key), body)


class Leaving(unittest.TestCase):
    def start(self, *arguments):
        server = Daemon(*arguments, *PATIENT, models=MODELS)
        self.addCleanup(server.stop)
        return server

    def running(self, server):
        return server.metric("denoised_rows_running")

    def accepted(self, server):
        """Rows that wait, run or are done."""
        return (server.metric("denoised_queue_rows") + self.running(server)
                + server.metric("denoised_samples_total"))

    def test_client_that_leaves_frees_its_rows_within_a_step(self):
        server = self.start()
        connection = server.connect()
        connection.sendall(post(LONG))
        wait_for(lambda: self.running(server) > 0, "rows to run")
        connection.close()
        began = time.monotonic()
        wait_for(lambda: self.running(server) == 0, "the rows to be freed")
        self.assertLess(time.monotonic() - began, 1 * SLOW)
        self.assertEqual(server.metric("denoised_cancelled_total", phase="running"), 1)
        self.assertGreater(server.metric("denoised_wasted_row_steps_total"), 0)
        line = wait_for(lambda: [line for line in server.lines("request") if "POST" in line],
                        "the log line")[0]
        self.assertIn("status=499", line)

    def test_killed_curl_frees_its_rows_within_one_step(self):
        server = self.start("--threads", "1")  # steps that take far longer than to see it gone
        body = {"model": "faces", "n": 4 if daemon.SANITIZED else 64, "steps": 100}
        curl = subprocess.Popen(["curl", "-s", "-d", json.dumps(body), server.url + "/sample"])

        def steps():
            return server.metric("denoised_steps_total", model="faces")

        wait_for(lambda: steps() >= 2, "steps")
        before = steps()
        curl.kill()
        curl.wait()
        wait_for(lambda: self.running(server) == 0, "the rows to be freed")
        # The one in hand, and one that may have begun between the count and the end of curl.
        self.assertLessEqual(steps() - before, 2)
        self.assertEqual(server.metric("denoised_cancelled_total", phase="running"), 1)
        self.assertEqual(server.sample({"model": "mix", "steps": 1}).status, 200)

    def test_client_that_half_closes_counts_as_gone(self):
        server = self.start()
        connection = server.connect()
        connection.sendall(post(LONG))
        wait_for(lambda: self.running(server) > 0, "rows to run")
        connection.shutdown(socket.SHUT_WR)
        wait_for(lambda: self.running(server) == 0, "the rows to be freed")
        received, closed = receive_all(connection)
        self.assertEqual((received, closed), (b"", True))
        connection.close()

    def test_half_close_is_answered_when_the_option_says_so(self):
        server = self.start("--abort-on-disconnect=false")
        with server.connect() as connection:
            connection.sendall(post({"model": "mix", "n": 2000, "steps": 100}))
            connection.shutdown(socket.SHUT_WR)
            received = connection.recv(65536)
        self.assertEqual(statuses(received), [200])

    def test_clients_that_leave_the_queue_are_forgotten(self):
        server = self.start()
        connections = [server.connect() for _ in range(20)]
        for connection in connections:
            connection.sendall(post(LONG))
        wait_for(lambda: self.accepted(server) >= 20 * LONG["n"], "all to be accepted")
        for connection in connections:
            connection.close()
        wait_for(lambda: server.metric("denoised_cancelled_total") == 20, "all to be cancelled")
        self.assertEqual(self.running(server), 0)
        self.assertEqual(server.metric("denoised_queue_rows"), 0)
        self.assertEqual(server.sample({"model": "mix", "steps": 1}).status, 200)

    def test_full_queue_is_429_with_retry_after_and_stays_ready(self):
        server = self.start("--max-queue-requests", "2")
        connections = [server.connect() for _ in range(2)]
        for connection in connections:
            connection.sendall(post(LONG))
        wait_for(lambda: self.accepted(server) >= 2 * LONG["n"], "both to be accepted")
        answer = server.sample({"model": "mix", "steps": 1})
        self.assertEqual((answer.status, answer.json()["code"]), (429, "queue_full"))
        self.assertTrue(1 <= int(answer.header("retry-after")) <= 120)
        self.assertEqual(server.get("/readyz").status, 200)
        self.assertEqual(server.metric("denoised_rejected_total", reason="queue_full"), 1)
        for connection in connections:
            connection.close()


class Memory(unittest.TestCase):
    def test_results_beyond_the_limit_are_429_until_others_are_gone(self):
        with Daemon("--result-bytes", "20000000", *PATIENT, models=MODELS) as server:
            # 8 MB each, as predicted.
            connections = [server.connect() for _ in range(2)]
            for connection in connections:
                connection.sendall(post(LONG))
            wait_for(lambda: server.metric("denoised_rows_running") > 0, "rows to run")
            wait_for(lambda: server.metric("denoised_queue_rows")
                     + server.metric("denoised_rows_running") >= 2 * LONG["n"], "both")
            answer = server.sample(dict(LONG, steps=1))
            self.assertEqual((answer.status, answer.json()["code"]), (429, "queue_full"))
            self.assertTrue(1 <= int(answer.header("retry-after")) <= 120)
            self.assertEqual(server.sample({"model": "mix", "steps": 1}).status, 200)
            for connection in connections:
                connection.close()
            wait_for(lambda: server.sample(dict(LONG, steps=1)).status == 200, "room")

    def test_answers_that_nobody_reads_count_until_their_clients_are_gone(self):
        body = dict(LONG, n=200_000, steps=1)  # 16 MB as predicted, 9 MB: more than a socket holds
        with Daemon("--result-bytes", "40000000", "--max-points", "200000",
                    models=MODELS) as server:
            connections = [server.connect() for _ in range(2)]
            for connection in connections:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.sendall(post(body))
            wait_for(lambda: server.metric("denoised_samples_total") == 2 * body["n"], "samples")
            self.assertEqual(server.sample(body).status, 429)
            for connection in connections:
                connection.close()
            wait_for(lambda: server.sample(body).status == 200, "room")

    def test_what_never_fits_is_422(self):
        with Daemon("--result-bytes", "65536", models=MODELS) as server:
            answer = server.sample(dict(LONG, steps=1))
            self.assertEqual((answer.status, answer.json()["errors"][0]["pointer"]), (422, ""))


class Drain(unittest.TestCase):
    # Work that takes long enough to be in flight when the signal comes.
    WORK = {"model": "mix", "n": int(4000 / SLOW), "steps": 1000, "sampler": "ddpm", "seed": 1,
            "format": "npy"}

    def busy(self, *arguments, body=None, count=3):
        server = Daemon(*arguments, *PATIENT, models=MODELS)
        connections = [server.connect() for _ in range(count)]
        for connection in connections:
            connection.sendall(post(body or self.WORK))
        wait_for(lambda: server.metric("denoised_rows_running") > 0, "rows to run")
        return server, connections

    def test_sigterm_under_load_completes_what_is_in_flight(self):
        server, connections = self.busy("--drain-delay", "0", "--drain-timeout", "300")
        server.process.send_signal(signal.SIGTERM)
        for connection in connections:
            received, closed = receive_all(connection)
            self.assertEqual(statuses(received), [200])
            self.assertTrue(closed)
            connection.close()
        self.assertEqual(server.stop(), 0)

    def test_during_the_delay_it_is_not_ready_but_serves(self):
        server = Daemon("--drain-delay", "30", models=MODELS)
        server.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        answer = wait_for(lambda: server.get("/readyz").status == 503 and server.get("/readyz"),
                          "not ready")
        self.assertLess(time.monotonic() - began, 0.1 * SLOW + 0.1)
        self.assertEqual(answer.json()["reasons"], ["draining"])
        self.assertEqual(server.get("/livez").status, 200)
        self.assertEqual(server.get("/startupz").status, 200)
        self.assertEqual(server.metric("denoised_draining"), 1)
        self.assertEqual(server.sample({"model": "mix", "steps": 1}).status, 200)
        self.assertEqual(server.stop(signal.SIGTERM), 0)  # the second one stops now

    def test_new_work_on_an_open_connection_is_503_draining(self):
        server, connections = self.busy("--drain-delay", "0")
        with server.connect() as kept:
            kept.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(statuses(kept.recv(4096)), [200])
            server.process.send_signal(signal.SIGTERM)
            wait_for(lambda: any("finishing" in line for line in server.log), "the drain")
            kept.sendall(post({"model": "mix", "steps": 1}))
            received, closed = receive_all(kept)
        self.assertEqual((statuses(received), closed), ([503], True))
        self.assertIn(b'"draining"', received)
        self.assertIn(b"Retry-After", received)
        with self.assertRaises(OSError):
            server.connect().recv(1)
        for connection in connections:
            connection.close()
        self.assertEqual(server.stop(), 0)

    def test_second_signal_stops_now_and_answers_what_was_left(self):
        server, connections = self.busy("--drain-delay", "30", body=LONG)
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: any("event=drain" in line for line in server.log), "the drain")
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        for connection in connections:
            received, closed = receive_all(connection)
            self.assertEqual((statuses(received), closed), ([503], True))
            connection.close()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - began, 2 * SLOW)

    def test_drain_timeout_ends_the_waiting(self):
        server, connections = self.busy("--drain-timeout", "0.2", body=LONG)
        began = time.monotonic()
        self.assertEqual(server.stop(signal.SIGINT), 0)
        self.assertLess(time.monotonic() - began, 3 * SLOW)
        for connection in connections:
            connection.close()


if __name__ == "__main__":
    unittest.main()
