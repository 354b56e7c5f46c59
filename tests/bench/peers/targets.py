"""How far ahead denoised wants to be, beside what was measured."""
import statistics

import machine

IMAGES, POINTS, LARGE = ("faces", "fashion", "avatars"), ("mlp-128",), ("ddpm-cifar10-32",)
# Networks, batches, peers of which the faster counts, our backend (None: the first), least ratio.
TARGETS = [(LARGE, (1, 4), ("onnxruntime",), None, 2.5),
           (LARGE, (1, 4), ("openvino",), None, 2.3),
           (LARGE, (1, 4), ("openvino-default",), None, 1.25),
           (LARGE, (1,), ("ncnn",), None, 1.6),
           (LARGE, (1, 4), ("torch-compiled",), None, 2.9),
           (IMAGES, (1, 16), ("onnxruntime", "openvino"), None, 2.0),
           (POINTS, (1,), ("onnxruntime",), None, 5.0),
           (POINTS, (256,), ("onnxruntime",), None, 1.3),
           (LARGE, (1, 4), ("onnxruntime",), "avx2", 2.2),
           (LARGE, (1, 4), ("torch-avx2",), "avx2", 2.2)]
# Multiplications of the fewest that Winograd needs here, and the least share of the time that they
# may take at the processor's peak.
FLOOR = {"ddpm-cifar10-32": 2156e6}
FLOOR_SHARE = 0.72


def ratios(theirs, ours):
    """Of each round."""
    return [a / b for a, b in zip(theirs, ours)]


def spread(values, text="{:.2f}"):
    return f"{text.format(statistics.median(values))} " \
           f"({text.format(min(values))} .. {text.format(max(values))})"


def shares_of_floor(name, times, peaks):
    """Of each round: times in ms, peaks in GFLOP/s."""
    return [2 * FLOOR[name] / (max(peak.values()) * 1e6) / own for own, peak in zip(times, peaks)]


def row(name, batch, what, values, least):
    verdict = "met" if statistics.median(values) >= least else "MISSED"
    return f"| {name} | {batch} | {what} | {spread(values)} | {least:.2f} | {verdict} |"


def widths_are_equal(peaks):
    """AVX-512 multiplies no faster than AVX2: the latter is no handicap."""
    return max(peaks[0].values()) < 1.1 * peaks[0].get("AVX2", 0)


def applies(peers, backend, result):
    """OpenVINO's default counts where it is bfloat16 without matrix units, ONNX Runtime as it is
    beside our AVX2 where that is no handicap."""
    if peers == ("openvino-default",):
        return "bf16" in result.details[peers[0]] and not machine.has("amx_bf16")
    return backend != "avx2" or widths_are_equal(result.peaks) == (peers == ("onnxruntime",))


def rows_of(name, batch, result):
    """Of the targets that this result can say something about."""
    for networks, batches, peers, backend, least in TARGETS:
        ours = backend or result.backends[0]
        if name not in networks or batch not in batches or ours not in result.measured or \
                not all(peer in result.measured for peer in peers) or \
                not applies(peers, backend, result):
            continue
        found = [ratios(result.measured[peer], result.measured[ours]) for peer in peers]
        yield row(name, batch, f"{' or '.join(peers)} over {ours}",
                  min(found, key=statistics.median), least)
    if name in FLOOR:
        ours = result.backends[0]
        yield row(name, batch, f"share of the multiply floor, {ours}",
                  shares_of_floor(name, result.measured[ours], result.peaks), FLOOR_SHARE)


def table(results):
    lines = ["| network | batch | what | measured | target | |", "|---|---|---|---|---|---|"]
    for (name, batch), result in results.items():
        lines += rows_of(name, batch, result)
    return lines if len(lines) > 2 else []
