"""The mixture of daemon.MIXTURE in closed form, and the levels of noise of processes, in double."""

import math
import struct

import daemon

WEIGHTS, MEANS, STDS = (daemon.MIXTURE[key] for key in ("weights", "means", "stds"))


def float32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def table(timesteps=1000, first=1e-4, last=0.02):
    """alpha_bar of the linear schedule, rounded where diffusers rounds."""
    product, table = 1.0, []
    for i in range(timesteps):
        beta = float32(first + (last - first) * i / (timesteps - 1))
        product *= float32(1.0 - beta)
        table.append(float32(product))
    return table


TABLE = table()


def level(alpha_bar):
    """(alpha, sigma)."""
    return math.sqrt(alpha_bar), math.sqrt(1.0 - alpha_bar)


def vp(t, low=0.1, high=20.0):
    alpha = math.exp(-(high - low) * t * t / 4 - low * t / 2)
    return alpha, math.sqrt(1.0 - alpha * alpha)


def sub_vp(t):
    alpha, _ = vp(t)
    return alpha, 1.0 - alpha * alpha


def ve(t, low=0.01, high=50.0):
    return 1.0, low * (high / low) ** t


def ou(t):
    return math.exp(-t), math.sqrt(-math.expm1(-2 * t))


def flow(t):
    return 1.0 - t, t


def answer(x, at, label=None):
    """What is known at x, noised to (alpha, sigma): score, eps, x0, v, and velocity of a flow."""
    alpha, sigma = at
    parts = []
    for k, (weight, mean, std) in enumerate(zip(WEIGHTS, MEANS, STDS)):
        if label not in (None, k):
            continue
        variance = (alpha * std) ** 2 + sigma ** 2
        slope = [(alpha * m - value) / variance for m, value in zip(mean, x)]
        log = math.log(weight) - math.log(variance) - variance * sum(q * q for q in slope) / 2
        parts.append((log, slope, [m - alpha * std ** 2 * q for m, q in zip(mean, slope)]))
    most = max(log for log, _, _ in parts)
    shares = [math.exp(log - most) for log, _, _ in parts]
    score = [sum(r * part[1][i] for r, part in zip(shares, parts)) / sum(shares) for i in (0, 1)]
    x0 = [sum(r * part[2][i] for r, part in zip(shares, parts)) / sum(shares) for i in (0, 1)]
    eps = [-sigma * s for s in score]
    norm = math.hypot(alpha, sigma)
    return {"score": score, "x0": x0, "eps": eps,
            "v": [(alpha * e - sigma * d) / norm for e, d in zip(eps, x0)],
            "velocity": [e - d for e, d in zip(eps, x0)]}
