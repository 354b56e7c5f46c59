"""What a service manager and a log collector get to see."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import daemon
from daemon import Daemon, wait_for

MODELS = None


def setUpModule():
    global MODELS
    MODELS = daemon.make_models()


def tearDownModule():
    shutil.rmtree(MODELS)


class Notify(unittest.TestCase):
    def watch(self, path, *arguments, environment=None):
        """A daemon whose notifications come to `manager`."""
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.settimeout(daemon.PATIENCE)
        manager.bind(path.replace("@", "\0", 1) if path.startswith("@") else path)
        server = Daemon(*arguments, models=MODELS, ready=False,
                        environment=dict(environment or {}, NOTIFY_SOCKET=path))
        return manager, server

    def receive_until(self, manager, word):
        messages = []
        while not messages or word not in messages[-1]:
            messages.append(manager.recv(4096).decode())
        return messages

    def test_ready_then_stopping_over_a_socket_in_the_file_system(self):
        with tempfile.TemporaryDirectory() as directory:
            manager, server = self.watch(os.path.join(directory, "notify"))
            messages = self.receive_until(manager, "READY=1")
            for message in messages[:-1]:
                self.assertIn("EXTEND_TIMEOUT_USEC=", message)
            self.assertIn("STATUS=serving 1 models", messages[-1])
            self.assertEqual(server.get("/readyz").status, 200)
            server.process.send_signal(signal.SIGINT)
            self.receive_until(manager, "STOPPING=1")
            self.assertEqual(server.stop(), 0)

    def test_abstract_sockets_and_the_watchdog(self):
        name = "@denoised-test-%d" % os.getpid()
        manager, server = self.watch(name, environment={"WATCHDOG_USEC": "100000"})
        self.receive_until(manager, "READY=1")
        self.receive_until(manager, "WATCHDOG=1")
        self.assertEqual(server.stop(), 0)

    def test_watchdog_of_another_process_is_not_ours(self):
        name = "@denoised-test-other-%d" % os.getpid()
        manager, server = self.watch(
            name, environment={"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"})
        self.receive_until(manager, "READY=1")
        self.assertEqual(server.stop(), 0)
        manager.setblocking(False)
        messages = []
        try:
            while True:
                messages.append(manager.recv(4096).decode())
        except BlockingIOError:
            pass
        self.assertFalse([message for message in messages if "WATCHDOG" in message])


class Log(unittest.TestCase):
    def test_json_log_is_one_object_a_line(self):
        with Daemon("--log", "json", models=MODELS) as server:
            server.get("/a%22b")
            server.sample({"steps": 1, "tag": "\u00e9\u4e2d\"\\"})
            wait_for(lambda: any("u4e2d" in line or "\u4e2d" in line for line in server.log),
                     "the log line")
            lines = [json.loads(line) for line in server.log]
        events = [line["event"] for line in lines]
        self.assertEqual(events[0], "listening")
        self.assertIn("ready", events)
        last = lines[-1]
        self.assertEqual((last["method"], last["path"], last["status"]), ("POST", "/sample", 200))
        self.assertEqual(last["tag"], "\u00e9\u4e2d\"\\")
        self.assertEqual(last["model"], "mix")
        self.assertIn("the answer is noise", last["warning"])

    def test_nobody_reading_the_log_blocks_nothing(self):
        reading, writing = os.pipe()
        process = subprocess.Popen([daemon.BINARY, "serve", "--models", str(MODELS), "--listen",
                                    "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=writing,
                                   text=True)
        os.close(writing)
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), daemon.PATIENCE) as connection:
            for _ in range(1000):
                connection.sendall(b"GET /livez?" + b"x" * 400 + b" HTTP/1.1\r\n"
                                   b"Host: localhost\r\n\r\n")
                self.assertIn(b"422", connection.recv(65536)[:20])
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(daemon.PATIENCE), 0)
        os.close(reading)
        process.stdout.close()


if __name__ == "__main__":
    unittest.main()
