"""What is written down is what the program says: proto/openapi.json and the tables of the README."""

import json
import re
import unittest

from daemon import ROOT, run

METHODS = {"get", "post", "put", "delete", "patch"}


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
