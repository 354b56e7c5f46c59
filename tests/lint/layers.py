#!/usr/bin/env python3
"""Fails on an #include that is not an arrow of ARCHITECTURE.md: which room may use which."""
import pathlib
import re
import sys

ROOMS = {  # room -> rooms and libraries it may include
    "core/base": {"core/base", "nettle", "immintrin.h", "xmmintrin.h"},
    "core/nn": {"core/nn", "core/base", "cblas.h", "openblas_config.h", "immintrin.h"},
    "core/diffusion": {"core/diffusion", "core/base"},
    "core/model": {"core/model", "core/nn", "core/diffusion", "core/base", "cjson"},
    "core/image": {"core/image", "core/base", "stb", "png.h", "zlib.h"},
    "core/train": {"core/train", "core/model", "core/diffusion", "core/nn", "core/base"},
    "core/engine": {"core/engine", "core/model", "core/diffusion", "core/nn", "core/base"},
    "proto": {"proto", "core/engine", "core/model", "core/diffusion", "core/nn", "core/image",
              "core/base", "cjson", "nettle", "zlib.h"},
    "server": {"server", "proto", "core/engine", "core/train", "core/model", "core/diffusion", "core/nn",
               "core/image", "core/base", "cjson", "uv.h", "microhttpd.h", "nettle"},
    "clients": {"core/base", "core/image"},
}
STANDARD = set("""assert ctype errno fcntl float inttypes limits locale math pthread sched signal
stdarg stdatomic stdbool stddef stdint stdio stdlib string strings time unistd dirent poll
netdb ftw""".split())
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]')


def room_of(path):
    parts = path.parts
    return "/".join(parts[:2]) if parts[0] == "core" else parts[0]


def target_of(name):
    parts = name.split("/")
    if parts[0] == "core":
        return "/".join(parts[:2])
    if parts[0] in ("proto", "server", "clients", "cjson", "stb", "nettle"):
        return parts[0]
    return name


def allowed(room, name):
    if name.endswith(".h") and (name[:-2] in STANDARD or re.match(r"(sys|netinet|arpa|linux)/", name)):
        return True
    return target_of(name) in ROOMS[room]


def main():
    faults = 0
    for room in sorted(ROOMS):
        for path in sorted(pathlib.Path(room).rglob("*.[ch]")):
            if room_of(path) != room:
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                found = INCLUDE.match(line)
                if found and not allowed(room, found[1]):
                    print(f"{path}:{number}: {room} may not include {found[1]}")
                    faults += 1
    sys.exit(1 if faults else 0)


main()
