"""Starts the real daemon on a port the kernel chooses, and talks to it over real sockets.

DENOISED_BINARY names the program. Every wait has a deadline; nothing sleeps and hopes.
"""

import asyncio
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("DENOISED_BINARY", str(ROOT / "build" / "release" / "denoised"))
# A daemon built with sanitizers is ten times slower: tests ask less of it. It is known by its
# folder, build/address-undefined or build/thread.
SANITIZED = "DENOISED_SAN" in os.environ or any(
    name in pathlib.Path(BINARY).resolve().parent.name for name in ("address", "thread"))
# Seconds, for any one wait.
PATIENCE = float(os.environ.get("DENOISED_TEST_PATIENCE", "120" if SANITIZED else "30"))

MIXTURE = {
    "_class_name": "GaussianMixture",
    "weights": [0.2, 0.8],
    "means": [[3, 3], [-3, -3]],
    "stds": [1, 1],
}
SCHEDULER = {
    "_class_name": "DDPMScheduler",
    "num_train_timesteps": 1000,
    "beta_schedule": "linear",
    "beta_start": 0.0001,
    "beta_end": 0.02,
    "clip_sample": False,
    "prediction_type": "epsilon",
    "variance_type": "fixed_small",
}


def write_mixture(folder, config=None, scheduler=None):
    """A model without weights: two JSON files."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config or MIXTURE))
    (folder / "scheduler_config.json").write_text(json.dumps(scheduler or SCHEDULER))
    return folder


def make_models(*shipped):
    """A directory with a mixture named `mix` and copies of shipped models; the caller removes it."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="denoised-models-"))
    write_mixture(directory / "mix")
    for name in shipped:
        shutil.copytree(ROOT / "weights" / name, directory / name)
    return directory


def wait_for(condition, what, patience=None):
    """Until the condition holds; its value."""
    end = time.monotonic() + (patience or PATIENCE)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not in time: " + what)
        time.sleep(0.002)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def good(self):
        """What a request that must succeed is answered."""
        assert self.status == 200, self
        return self.json()

    def faults(self):
        """Of a request that must be refused: what is said of each field."""
        assert self.status == 422, self
        return {fault["pointer"]: fault["detail"] for fault in self.json()["errors"]}

    def header(self, name):
        return self.headers.get(name.lower())

    def __repr__(self):
        return "%d %r %r" % (self.status, self.headers, self.body[:200])


class Daemon:
    """A running daemon; also a context manager that stops it and checks how it ended."""

    def __init__(self, *arguments, models=None, ready=True, environment=None,
                 listen="127.0.0.1:0"):
        command = [BINARY, "serve", "--listen", listen]
        if models is not None:
            command += ["--models", str(models)]
        self.log = []
        self.process = subprocess.Popen(
            command + [str(argument) for argument in arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ, **(environment or {})),
            text=True,
            errors="backslashreplace",
        )
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            self.process.wait(PATIENCE)
            self.reader.join(PATIENCE)
            raise AssertionError("no listening line but %r; log: %s" % (line, self.log))
        self.url = line.split()[-1]
        if self.url.startswith("http://"):
            host, port = self.url[len("http://"):].rsplit(":", 1)
            self.address = (host.strip("[]"), int(port))
        else:
            self.address = self.url[len("unix:"):]
        if ready:
            self.wait_ready()

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))

    def wait_ready(self):
        wait_for(lambda: self.get("/readyz").status == 200, "ready")

    def connect(self, timeout=None):
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(timeout or PATIENCE)
        connection.connect(self.address)
        return connection

    def request(self, method, path, body=None, headers=None, address=None):
        host, port = address or self.address
        connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            return read_answer(connection)
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def ask(self, path, fields):
        return self.request("POST", path, json.dumps(fields), {"Content-Type": "application/json"})

    def sample(self, body, headers=None):
        if not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        return self.request(
            "POST", "/sample", body, dict({"Content-Type": "application/json"}, **(headers or {}))
        )

    def raw(self, data, timeout=None):
        """Sends bytes; all bytes that come back until the daemon closes or falls silent."""
        with self.connect(timeout) as connection:
            try:
                connection.sendall(data)
            except OSError:
                pass  # it has closed already; what it said is still to be read
            return receive_all(connection)

    def admin(self):
        """The address of --admin-listen, as the log says."""
        line = wait_for(lambda: self.lines("listening"), "a log line")[0]
        host, port = re.search(r"admin=\S*//(\S+):(\d+)", line).groups()
        return host, int(port)

    def lines(self, event):
        return [line for line in self.log if "event=%s " % event in line]

    def metric(self, name, **labels):
        """Sum over the series of that name that carry these labels."""
        text = self.get("/metrics").body.decode()
        total = 0.0
        for line in text.splitlines():
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if match and match[1] == name:
                found = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
                if all(found.get(key) == value for key, value in labels.items()):
                    total += float(match[3])
        return total

    def stop(self, number=signal.SIGINT):
        """Asks it to stop; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE + 10)
        self.reader.join(PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        code = self.stop()
        if kind is None and code != 0:
            raise AssertionError("the daemon ended with %d; log: %s" % (code, self.log[-20:]))


def read_answer(connection):
    answer = connection.getresponse()
    headers = {key.lower(): text for key, text in answer.getheaders()}
    return Answer(answer.status, headers, answer.read())


async def answer_of(reader):
    """An answer with a Content-Length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return Answer(int(head[0].split(" ", 2)[1]), headers,
                  await reader.readexactly(int(headers["content-length"])))


def post(body, *lines):
    """POST /sample, as it goes over the wire."""
    body = json.dumps(body).encode()
    head = ["POST /sample HTTP/1.1", "Host: localhost", "Content-Type: application/json",
            "Content-Length: %d" % len(body)] + list(lines)
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def client(address, bodies):
    """One keep-alive connection that samples one after the other; the answers in order."""
    reader, writer = await asyncio.open_connection(*address)
    answers = []
    for body in bodies:
        writer.write(post(body))
        answers.append(await answer_of(reader))
    writer.close()
    return answers


def all_clients(address, bodies_of_clients):
    """The answers to each client, all side by side."""

    async def run():
        return await asyncio.wait_for(
            asyncio.gather(*[client(address, bodies) for bodies in bodies_of_clients]),
            PATIENCE * 2)

    return asyncio.run(run())


def receive_all(connection):
    """(bytes, closed): until the other side closes, or the socket's timeout passes."""
    received = b""
    try:
        while True:
            piece = connection.recv(65536)
            if not piece:
                return received, True
            received += piece
    except socket.timeout:
        return received, False
    except OSError:
        return received, True


def statuses(received):
    """The status codes of all answers in these bytes."""
    return [int(code) for code in re.findall(rb"(?:^|\n|\})HTTP/1\.[01] (\d{3}) ", received)]


def run(*arguments, environment=None, timeout=None):
    """Runs a command to its end: (exit code, stdout, stderr)."""
    done = subprocess.run(
        [BINARY] + [str(argument) for argument in arguments],
        capture_output=True,
        text=True,
        timeout=timeout or PATIENCE,
        env=dict(os.environ, **(environment or {})),
    )
    return done.returncode, done.stdout, done.stderr
