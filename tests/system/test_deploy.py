"""What `make install` puts in place, and the Kubernetes files: parsed, and held to rules."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ["DENOISED_BINARY"])
HOST_UNITS = pathlib.Path("/usr/lib/systemd/system")


def run(*command):
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=300, check=False, text=True)


class Install(unittest.TestCase):
    """make install PREFIX=/usr into a scratch root."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.scratch.name)
        cls.done = cls.install()

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def install(cls):
        """With the binary under test taken as up to date, whatever it was built with."""
        return run("make", "install", "PREFIX=/usr", f"DESTDIR={cls.root}",
                   f"BUILD={BINARY.parent}", f"--assume-old={BINARY}")

    def test_install_puts_everything_in_place(self):
        self.assertEqual(self.done.returncode, 0, self.done.stdout)
        for name in ("usr/bin/denoised", "etc/denoised/denoised.conf",
                     "usr/lib/systemd/system/denoised.service"):
            self.assertTrue((self.root / name).is_file(), name)
        models = self.root / "usr/share/denoised/models"
        shipped = {folder.parent.name for folder in (ROOT / "weights").glob("*/denoised.json")}
        self.assertEqual({folder.name for folder in models.iterdir()}, shipped | {"selftest"})
        self.assertNotIn("recipes", shipped)

    def test_the_operators_configuration_survives_a_second_install(self):
        conf = self.root / "etc/denoised/denoised.conf"
        before = conf.read_text()
        conf.write_text("# mine\n")
        self.assertEqual(self.install().returncode, 0)
        self.assertEqual(conf.read_text(), "# mine\n")
        conf.write_text(before)

    def test_the_daemon_accepts_the_installed_configuration(self):
        conf = self.root / "etc/denoised/denoised.conf"
        self.assertIn("models = /usr/share/denoised/models\n", conf.read_text())
        done = run(str(self.root / "usr/bin/denoised"), "serve", "--config", str(conf),
                   "--check-config")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"admin-listen *= *127\.0\.0\.1:8081")

    def test_systemd_has_nothing_to_say_against_the_unit(self):
        units = self.root / "usr/lib/systemd/system"
        for target in [*HOST_UNITS.glob("*.target"), HOST_UNITS / "systemd-tmpfiles-setup.service"]:
            shutil.copy(target, units, follow_symlinks=False)
        done = run("systemd-analyze", "verify", "--man=no", f"--root={self.root}",
                   "denoised.service")
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_the_unit_is_as_confined_as_we_say(self):
        done = run("systemd-analyze", "security", "--offline=true", "--threshold=12",
                   str(self.root / "usr/lib/systemd/system/denoised.service"))
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_the_unit_names_the_prefix(self):
        with tempfile.TemporaryDirectory() as other:
            done = run("make", "install", "PREFIX=/opt/denoised", f"DESTDIR={other}",
                       f"BUILD={BINARY.parent}", f"--assume-old={BINARY}")
            self.assertEqual(done.returncode, 0, done.stdout)
            unit = pathlib.Path(other, "opt/denoised/lib/systemd/system/denoised.service")
            text = unit.read_text()
            self.assertIn("ExecStart=/opt/denoised/bin/denoised serve", text)
            self.assertRegex(text, r"ExecPaths=/opt/denoised/bin/denoised ")


def documents(name):
    with open(ROOT / "deploy/kubernetes" / name, encoding="utf-8") as file:
        return list(yaml.safe_load_all(file))


class Kubernetes(unittest.TestCase):
    """The rules that a cluster or its admission would hold the files to."""

    def setUp(self):
        [self.deployment] = documents("deployment.yaml")
        self.pod = self.deployment["spec"]["template"]["spec"]
        [self.container] = self.pod["containers"]
        self.ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}

    def option(self, name):
        [value] = [text.split("=", 1)[1] for text in self.container["args"]
                   if text.startswith(f"--{name}=")]
        return value

    def test_every_document_says_what_it_is(self):
        for path in (ROOT / "deploy/kubernetes").glob("*.yaml"):
            for document in documents(path.name):
                self.assertLessEqual({"apiVersion", "kind", "metadata", "spec"}, set(document))
                self.assertRegex(document["metadata"]["name"], r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")

    def test_selectors_find_the_pods(self):
        labels = self.deployment["spec"]["template"]["metadata"]["labels"]
        self.assertEqual(self.deployment["spec"]["selector"]["matchLabels"], labels)
        [service] = documents("service.yaml")
        [policy] = documents("network-policy.yaml")
        self.assertEqual(service["spec"]["selector"], labels)
        self.assertEqual(policy["spec"]["podSelector"]["matchLabels"], labels)

    def test_ports_are_those_that_the_daemon_listens_on(self):
        for name, option in (("http", "listen"), ("admin", "admin-listen")):
            self.assertEqual(self.option(option), f"0.0.0.0:{self.ports[name]}")
        [service] = documents("service.yaml")
        for port in service["spec"]["ports"]:
            self.assertIn(port["targetPort"], self.ports)
        [policy] = documents("network-policy.yaml")
        for rule in policy["spec"]["ingress"]:
            for port in rule["ports"]:
                self.assertIn(port["port"], self.ports)

    def test_probes_ask_the_admin_port(self):
        for probe, path in (("startupProbe", "/startupz"), ("livenessProbe", "/livez"),
                            ("readinessProbe", "/readyz")):
            self.assertEqual(self.container[probe]["httpGet"], {"path": path, "port": "admin"})

    def test_the_grace_period_covers_sleep_delay_and_drain(self):
        sleep = int(self.container["lifecycle"]["preStop"]["exec"]["command"][-1])
        in_force = run(str(BINARY), "serve", *self.container["args"][1:], "--check-config").stdout
        drain = [float(re.search(rf"^{name} *= *([\d.]+)", in_force, re.M)[1])
                 for name in ("drain-delay", "drain-timeout")]
        self.assertGreaterEqual(self.pod["terminationGracePeriodSeconds"], sleep + sum(drain))

    def test_the_pod_has_no_rights_it_does_not_need(self):
        self.assertTrue(self.pod["securityContext"]["runAsNonRoot"])
        self.assertEqual(self.pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
        self.assertFalse(self.pod["automountServiceAccountToken"])
        rights = self.container["securityContext"]
        self.assertFalse(rights["allowPrivilegeEscalation"])
        self.assertTrue(rights["readOnlyRootFilesystem"])
        self.assertEqual(rights["capabilities"], {"drop": ["ALL"]})
        resources = self.container["resources"]
        self.assertEqual(resources["requests"]["memory"], resources["limits"]["memory"])

    def test_volumes_exist_and_are_read_only(self):
        names = {volume["name"] for volume in self.pod["volumes"]}
        for mount in self.container["volumeMounts"]:
            self.assertIn(mount["name"], names)
            self.assertTrue(mount["readOnly"])

    def test_the_daemon_accepts_the_arguments(self):
        done = run(str(BINARY), "serve", *self.container["args"][1:], "--check-config")
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
