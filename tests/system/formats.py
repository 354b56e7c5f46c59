"""Reads what the daemon writes: .npy and PNG."""

import array
import ast
import struct
import zlib


def read_npy(body):
    """(shape, numbers): of an .npy file, format 1.0, C order."""
    assert body.startswith(b"\x93NUMPY\x01\x00"), body[:16]
    end = 10 + struct.unpack("<H", body[8:10])[0]
    header = ast.literal_eval(body[10:end].decode())
    assert not header["fortran_order"], header
    return header["shape"], array.array({"<f4": "f", "|u1": "B"}[header["descr"]], body[end:])


PNG_CHANNELS = {0: 1, 2: 3}  # by colour type


def paeth(left, above, corner):
    """PNG, section 9.4: whichever of the three is nearest to left + above - corner."""
    guess = left + above - corner
    return min((left, above, corner), key=lambda value: abs(guess - value))


def unfilter(kind, line, above, step):
    """A line of PNG as it was before its filter; section 9.2."""
    for i, byte in enumerate(line):
        left, corner = (line[i - step], above[i - step]) if i >= step else (0, 0)
        guess = (0, left, above[i], (left + above[i]) // 2, paeth(left, above[i], corner))[kind]
        line[i] = (byte + guess) & 255
    return line


def read_png(body):
    """(width, height, channels, pixels): of an 8-bit PNG without interlacing."""
    assert body.startswith(b"\x89PNG\r\n\x1a\n"), body[:16]
    at, packed, header = 8, b"", None
    while at < len(body):
        size, kind = struct.unpack(">I4s", body[at:at + 8])
        chunk = body[at + 8:at + 8 + size]
        assert zlib.crc32(kind + chunk) == struct.unpack(">I", body[at + 8 + size:at + 12 + size])[0]
        header = struct.unpack(">IIBBBBB", chunk) if kind == b"IHDR" else header
        packed += chunk if kind == b"IDAT" else b""
        at += 12 + size
    width, height, depth, colour, *rest = header
    assert (depth, rest) == (8, [0, 0, 0]), header
    channels = PNG_CHANNELS[colour]
    lines, above = zlib.decompress(packed), bytes(width * channels)
    pixels = bytearray()
    for first in range(0, len(lines), width * channels + 1):
        line = bytearray(lines[first + 1:first + 1 + width * channels])
        above = unfilter(lines[first], line, above, channels)
        pixels += above
    assert len(pixels) == width * height * channels
    return width, height, channels, bytes(pixels)


def write_png(width, height, channels, pixels):
    """Of 8-bit grey or RGB."""
    line = width * channels
    lines = b"".join(b"\0" + pixels[y * line:(y + 1) * line] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[channels], 0, 0, 0)

    def whole(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + whole(b"IHDR", header) +
            whole(b"IDAT", zlib.compress(lines)) + whole(b"IEND", b""))


def read_apng(body):
    """[(width, height, channels, pixels, milliseconds)]: of every frame of an APNG, each of the
    full size; the counter of fcTL and fdAT must run without a gap."""
    assert body.startswith(b"\x89PNG\r\n\x1a\n"), body[:16]
    at, header, announced, sequence, frames = 8, None, None, 0, []
    while at < len(body):
        size, kind = struct.unpack(">I4s", body[at:at + 8])
        data = body[at + 8:at + 8 + size]
        assert zlib.crc32(kind + data) == struct.unpack(">I", body[at + 8 + size:at + 12 + size])[0]
        if kind in (b"fcTL", b"fdAT"):
            assert struct.unpack(">I", data[:4])[0] == sequence
            sequence += 1
        if kind == b"IHDR":
            header = data
        elif kind == b"acTL":
            announced, plays = struct.unpack(">II", data)
            assert not frames and plays == 1
        elif kind == b"fcTL":
            _, width, height, x, y, delay, unit, _, _ = struct.unpack(">IIIIIHHBB", data)
            assert (struct.pack(">II", width, height), x, y) == (header[:8], 0, 0)
            frames.append([b"", delay * 1000 // unit])
        elif kind in (b"IDAT", b"fdAT"):
            frames[-1][0] += data if kind == b"IDAT" else data[4:]
        at += 12 + size
    assert len(frames) == announced, (len(frames), announced)

    def whole(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return [read_png(body[:8] + whole(b"IHDR", header) + whole(b"IDAT", packed)) + (delay,)
            for packed, delay in frames]
