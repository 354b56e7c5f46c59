"""No instruction that only some CPUs have is in code that all CPUs run: objects made for one
instruction set hold nothing wider, the others nothing beyond the baseline."""

import pathlib
import re
import subprocess
import unittest

import daemon

BUILD = pathlib.Path(daemon.BINARY).resolve().parent
# Where an object's name says for what it was compiled, the registers that it may name besides.
WIDER = {".avx512.o": r"", ".avx2.o": r"%zmm|%k[1-7]\b", ".fma.o": r"%zmm|%k[1-7]\b"}
BASELINE = r"%[yz]mm|%k[1-7]\b|\tv[a-z0-9]+ +.*%xmm"


def forbidden(path):
    return next((pattern for name, pattern in WIDER.items() if path.name.endswith(name)), BASELINE)


def disassembly(path):
    return subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(path)], check=True,
                          stdout=subprocess.PIPE).stdout.decode()


@unittest.skipIf(daemon.SANITIZED, "the same flags")
class Isa(unittest.TestCase):
    def test_objects_hold_only_what_their_cpus_have(self):
        objects = sorted((BUILD / "core").rglob("*.o"))
        self.assertGreater(len(objects), 50)
        for path in objects:
            pattern = forbidden(path)
            found = re.search(pattern, disassembly(path)) if pattern else None
            self.assertIsNone(found, "%s: %s" % (path, found and found.group()))

    def test_wide_builds_are_wide(self):
        for name, register in [(".avx512.o", "%zmm"), (".avx2.o", "%ymm"), (".fma.o", "vfmadd")]:
            objects = list((BUILD / "core" / "nn").glob("*" + name))
            self.assertTrue(objects)
            self.assertTrue(any(register in disassembly(path) for path in objects), name)

    def test_a_wide_object_shares_no_function(self):
        """One that the linker could take for code of another build."""
        for name in WIDER:
            for path in (BUILD / "core").rglob("*" + name):
                symbols = subprocess.run(["nm", "--defined-only", "-g", str(path)], check=True,
                                         stdout=subprocess.PIPE).stdout.decode().split("\n")
                for symbol in filter(None, symbols):
                    self.assertTrue(symbol.endswith(name.split(".")[1]), symbol)


if __name__ == "__main__":
    unittest.main()
