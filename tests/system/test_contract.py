"""What is written down is what the program says: proto/openapi.json and the tables of the README."""

import json
import re
import shutil
import unittest

import daemon
from daemon import ROOT, Daemon, run

METHODS = {"get", "post", "put", "delete", "patch"}
# What each route that takes a body answers with 200.
GOOD = {
    "/sample": {},
    "/noise": {"x_0": [[1, 2]], "t": 5},
    "/predict": {"x_t": [[1, 2]], "t": 5},
    "/step": {"x_t": [[1, 2]], "t": 5},
    "/encode": {"x_0": [[1, 2]]},
    "/likelihood": {"x_0": [[1, 2]]},
}
# Header lines, what follows the path, and the version, with the problem that they are.
HEADS = (
    ("bad_request", [b"Host: localhost"], b"", b"HTTP/1.1"),
    ("forbidden_host", None, b"", b"HTTP/1.1"),
    ("forbidden_origin", [b"Origin: http://elsewhere"], b"", b"HTTP/1.1"),
    ("uri_too_long", [], b"?" + b"a" * 5000, b"HTTP/1.1"),
    ("headers_too_large", [b"X-%d: " % i + b"a" * 1024 for i in range(17)], b"", b"HTTP/1.1"),
    ("http_version", [], b"", b"HTTP/1.2"),
    ("invalid_parameter", [], b"?a=1", b"HTTP/1.1"),
)
JSON = {"Content-Type": "application/json"}
# Headers and body, with the problem that they are; None: the good body.
BODIES = (
    ("invalid_json", JSON, "{"),
    ("invalid_parameter", JSON, '{"a":1}'),
    ("model_not_found", JSON, '{"model":"none"}'),
    ("not_acceptable", {**JSON, "Accept": "text/html"}, None),
    ("unsupported_media_type", {"Content-Type": "text/plain"}, None),
    ("unsupported_media_type", {**JSON, "Content-Encoding": "gzip"}, None),
    ("expectation_failed", {**JSON, "Expect": "more"}, None),
    ("body_too_large", {**JSON, "Content-Length": "16777217"}, None),
)
# Whose causes other tests have: time, load, numbers.
ELSEWHERE = {"request_timeout", "queue_full", "internal", "nonfinite_output", "not_converged",
             "loading", "draining", "worker_stalled"}


def text(name):
    return (ROOT / name).read_text()


def said(*arguments):
    code, out, err = run(*arguments)
    assert (code, err) == (0, ""), err
    return out


def operations(document):
    """(path, method, operation) of every one."""
    return [(path, method, operation) for path, methods in document["paths"].items()
            for method, operation in methods.items()]


def references(value):
    """Every $ref in there."""
    if isinstance(value, dict):
        found = [value["$ref"]] if "$ref" in value else []
        return found + [each for inner in value.values() for each in references(inner)]
    if isinstance(value, list):
        return [each for inner in value for each in references(inner)]
    return []


class OpenApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.document = json.loads(text("proto/openapi.json"))

    def test_checked_in_file_is_what_the_program_prints(self):
        self.assertEqual(text("proto/openapi.json"), said("openapi"),
                         "./denoised openapi >proto/openapi.json")

    def test_every_route_is_named_and_nothing_else(self):
        rows = re.findall(r'\.about = \{"(\w+)", "([^"]+)"', text("server/routes.c"))
        named = {(method.upper(), path) for path, method, _ in operations(self.document)}
        self.assertGreater(len(rows), 9)
        self.assertEqual(set(rows), named)

    def test_every_operation_says_what_it_is_and_what_it_answers(self):
        for path, method, operation in operations(self.document):
            with self.subTest(path):
                self.assertIn(method, METHODS)
                self.assertTrue(operation["summary"])
                self.assertTrue(operation["responses"]["200"]["content"])
                for answer in operation["responses"].values():
                    self.assertTrue(answer["description"])
                self.assertEqual(re.findall(r"\{(\w+)\}", path),
                                 [each["name"] for each in operation.get("parameters", [])])

    def test_every_reference_leads_somewhere(self):
        found = references(self.document)
        self.assertTrue(found)
        for reference in found:
            value = self.document
            for step in reference.removeprefix("#/").split("/"):
                value = value[step]


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.models = daemon.make_models()
        cls.server = Daemon("--default-model", "mix", models=cls.models)
        cls.document = json.loads(said("openapi"))

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        shutil.rmtree(cls.models)
        assert code == 0, code

    def ask_head(self, method, path, lines, more, version):
        target = path.replace("{name}", "mix").encode() + more
        host = [b"Host: elsewhere"] if lines is None else [b"Host: localhost"] + lines
        with self.server.connect() as connection:
            connection.sendall(b"\r\n".join([method.upper().encode() + b" " + target + b" " + version]
                                            + host + [b"Connection: close"]) + b"\r\n\r\n")
            received, _ = daemon.receive_all(connection)
        return json.loads(received.split(b"\r\n\r\n")[1])

    def check(self, path, operation, problem, wanted):
        self.assertEqual(problem["code"], wanted, path)
        self.assertIn(wanted, self.named(operation)[str(problem["status"])], path)

    def named(self, operation):
        """By status, the codes that the contract names."""
        return {status: answer["description"].split(", ")
                for status, answer in operation["responses"].items()
                if "application/problem+json" in answer["content"]}

    def test_every_problem_is_named_and_every_named_one_is_answered(self):
        for path, method, operation in operations(self.document):
            provoked = set(ELSEWHERE)
            for wanted, *head in HEADS:
                self.check(path, operation, self.ask_head(method, path, *head), wanted)
                provoked.add(wanted)
            for wanted, headers, body in BODIES if method == "post" else ():
                answer = self.server.request("POST", path, body or json.dumps(GOOD[path]), headers)
                self.check(path, operation, answer.json(), wanted)
                provoked.add(wanted)
            if "{name}" in path:
                answer = self.server.get(path.replace("{name}", "none"))
                self.check(path, operation, answer.json(), "model_not_found")
                provoked.add("model_not_found")
            named = {code for codes in self.named(operation).values() for code in codes}
            self.assertLessEqual(named, provoked, path)
            self.assertLessEqual({"request_timeout"}, named, path)

    def test_every_good_answer_is_of_a_named_type(self):
        for path, method, operation in operations(self.document):
            answer = (self.server.ask(path, GOOD[path]) if method == "post"
                      else self.server.get(path.replace("{name}", "mix")))
            self.assertEqual(answer.status, 200, path)
            kind = answer.header("Content-Type").split(";")[0]
            self.assertIn(kind, operation["responses"]["200"]["content"], path)

    def test_a_probe_that_says_no_is_no_problem(self):
        for path, _, operation in operations(self.document):
            unready = operation["responses"].get("503", {"content": {}})["content"]
            probes = ("/livez", "/readyz", "/startupz", "/health")
            self.assertEqual("application/json" in unready, path in probes, path)

    def test_adaptive_samplers_alone_may_not_converge(self):
        adaptive = {path for path, _, operation in operations(self.document)
                    if "not_converged" in self.named(operation)["422"]}
        self.assertEqual(adaptive, {"/sample", "/encode", "/likelihood"})


class Readme(unittest.TestCase):
    def section(self, title):
        return re.search(rf"^## {title}\n(.*?)^## ", text("README.md"), re.M | re.S)[1]

    def test_options_are_the_program_s(self):
        table = re.search(r"^<!-- options -->\n(.*)^<!-- end of options -->$",
                          text("README.md"), re.M | re.S)[1]
        self.assertEqual(table, said("options"), "put `./denoised options` between the marks")

    def test_fields_are_the_contract_s(self):
        rows = re.findall(r"^\| (`[^|]*) \|", self.section("Requests"), re.M)
        fields = {field for row in rows for field in re.findall(r"`(\w+)`", row)}
        schemas = json.loads(text("proto/openapi.json"))["components"]["schemas"]
        self.assertEqual(fields, set(schemas["SampleRequest"]["properties"]))

    def test_samplers_are_the_program_s(self):
        named = re.search(r"^The samplers: (.*?)\n\n", text("README.md"), re.M | re.S)[1]
        table = re.search(r"define SAMPLERS\(X\)(.*?)\n\n", text("core/diffusion/sampler.h"), re.S)[1]
        self.assertEqual(sorted(re.findall(r"`(\w+)`", named)),
                         sorted(re.findall(r"X\((\w+)\)", table)))

    def test_endpoints_are_the_contract_s(self):
        named = set(re.findall(r"(/[\w.{}/]*)`", self.section("Endpoints")))
        paths = set(json.loads(text("proto/openapi.json"))["paths"])
        self.assertEqual(named, {path for path in paths if not path.startswith("/page.")})
