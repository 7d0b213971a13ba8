#!/usr/bin/env python3
"""Writes tests/golden/objectives.json: losses and gradients of every objective on a few pairs.

An independent implementation: formulas written from the papers, computed with 60 digits by mpmath, derivatives by
mpmath's numerical differentiation. Nothing here is taken from the C++ headers. Hyper-parameters are rounded to
float32 first, because the library stores them so; log-probabilities are multiples of 1/64, exact in both types.

Run from the repository root:  python3 script/golden/objectives.py     (needs mpmath and numpy)
"""
import json
import platform
import random

import mpmath as mp
import numpy as np

mp.mp.dps = 60
ROLES = ["chosen", "rejected", "chosen_long", "rejected_long"]


def f32(x):
    return mp.mpf(float(np.float32(x)))


def log_sigmoid(z):
    return -mp.log(1 + mp.exp(-z))


def log_ratio(p, role):
    return p[role]["logp"] - p[role]["ref_logp"]


def mean_log_ratio(p, role):
    return log_ratio(p, role) / p[role]["length"]


def mean_logp(p, role):
    return p[role]["logp"] / p[role]["length"]


def log_odds(p, role):
    likelihood = mp.exp(mean_logp(p, role))
    return mp.log(likelihood / (1 - likelihood))


# Loss of a pair under its short prompt.
def dpo(p, o):  # arXiv 2305.18290, label smoothing as in cDPO
    d = o["beta"] * (log_ratio(p, "chosen") - log_ratio(p, "rejected"))
    e = o["label_smoothing"]
    return -(1 - e) * log_sigmoid(d) - e * log_sigmoid(-d)


def simpo(p, o):  # arXiv 2405.14734
    d = o["beta"] * mean_logp(p, "chosen") - o["beta"] * mean_logp(p, "rejected") - o["gamma"]
    e = o["label_smoothing"]
    return -(1 - e) * log_sigmoid(d) - e * log_sigmoid(-d)


def orpo(p, o):  # arXiv 2403.07691
    ratio = log_odds(p, "chosen") - log_odds(p, "rejected")
    return -mean_logp(p, "chosen") - o["lambda"] * log_sigmoid(ratio)


def ipo(p, o):  # arXiv 2310.12036, per-token averages
    return (mean_log_ratio(p, "chosen") - mean_log_ratio(p, "rejected") - 1 / (2 * o["beta"])) ** 2


def hinge(p, o):  # arXiv 2305.10425
    return max(mp.mpf(0), 1 - o["beta"] * (log_ratio(p, "chosen") - log_ratio(p, "rejected")))


def sft(p, o):
    return -mean_logp(p, "chosen")


# Each objective's implicit reward of one response.
REWARDS = {
    "dpo": lambda p, role, o: o["beta"] * log_ratio(p, role),
    "simpo": lambda p, role, o: o["beta"] * mean_logp(p, role),
    "orpo": lambda p, role, o: log_odds(p, role),
    "ipo": lambda p, role, o: o["beta"] * mean_log_ratio(p, role),
    "hinge": lambda p, role, o: o["beta"] * log_ratio(p, role),
    "sft": lambda p, role, o: mean_logp(p, role),
}
LOSSES = {"dpo": dpo, "longpo": dpo, "simpo": simpo, "orpo": orpo, "ipo": ipo, "hinge": hinge, "sft": sft}


def distance(d, o):
    kind = o.get("distance", "absolute")
    if kind == "absolute":
        return abs(d)
    if kind == "squared":
        return d * d
    delta = o.get("huber_delta", mp.mpf(1))
    return d * d / 2 if abs(d) <= delta else delta * (abs(d) - delta / 2)


def loss(name, p, o, frozen=None):
    """`frozen`: the pair that supplies the short side's rewards in the alignment term (a stopped gradient)."""
    if not name.startswith("solopo:"):
        return LOSSES[name](p, o)
    base = name.split(":")[1]
    reward = REWARDS[base]
    short = frozen or p
    total = LOSSES[base](p, o)  # arXiv 2505.11166
    total += o["alpha"] * distance(reward(short, "chosen", o) - reward(p, "chosen_long", o), o)
    if o.get("scope") == "both":
        total += o["alpha"] * distance(reward(short, "rejected", o) - reward(p, "rejected_long", o), o)
    return total


def gradient(name, p, o):
    out = []
    for role in ROLES:
        def along(x):
            q = {r: dict(v) for r, v in p.items()}
            q[role]["logp"] = x
            return loss(name, q, o, p if o.get("stop_short_gradient") else None)
        out.append(mp.diff(along, p[role]["logp"]))
    return out


def pairs():
    draw = random.Random(20240611)
    for _ in range(6):
        p = {}
        for role in ROLES:
            length = draw.randint(1, 60)
            logp = -(draw.randint(1, 160 * length)) / 64
            p[role] = {"logp": logp, "ref_logp": logp + draw.randint(-256, 256) / 64, "length": length}
        p["chosen_long"]["length"] = p["chosen"]["length"]
        p["rejected_long"]["length"] = p["rejected"]["length"]
        yield p
    # A likelihood on either side of 1/2, and margins far out.
    yield {"chosen": {"logp": -5.5, "ref_logp": -6, "length": 8}, "rejected": {"logp": -5.59375, "ref_logp": -5, "length": 8},
           "chosen_long": {"logp": -0.0625, "ref_logp": -7, "length": 8}, "rejected_long": {"logp": -9, "ref_logp": -7, "length": 8}}
    yield {"chosen": {"logp": -3000, "ref_logp": -20, "length": 3}, "rejected": {"logp": -4, "ref_logp": -2000, "length": 5},
           "chosen_long": {"logp": -900, "ref_logp": -25, "length": 3}, "rejected_long": {"logp": -7, "ref_logp": -5, "length": 5}}


BASES = [
    ("dpo", {"beta": 0.1, "label_smoothing": 0.0}), ("dpo", {"beta": 0.5, "label_smoothing": 0.2}),
    ("dpo", {"beta": 1e-6, "label_smoothing": 0.5}), ("simpo", {"beta": 2.0, "gamma": 0.5, "label_smoothing": 0.0}),
    ("simpo", {"beta": 10.0, "gamma": 3.0, "label_smoothing": 0.1}), ("orpo", {"lambda": 0.1}), ("orpo", {"lambda": 1.0}),
    ("ipo", {"beta": 0.1}), ("ipo", {"beta": 2.5}), ("hinge", {"beta": 0.1}), ("hinge", {"beta": 0.05}), ("sft", {}),
    ("longpo", {"beta": 0.1, "label_smoothing": 0.0}),
]
ALIGNMENTS = [
    {"alpha": 3.0}, {"alpha": 1.0, "distance": "squared"}, {"alpha": 0.7, "distance": "huber", "huber_delta": 0.25},
    {"alpha": 1.0, "scope": "both"}, {"alpha": 2.0, "distance": "squared", "scope": "both", "stop_short_gradient": True},
]


def configurations():
    yield from BASES
    for base in ["dpo", "simpo", "orpo", "ipo", "hinge", "sft"]:
        options = next(o for n, o in BASES if n == base)
        for alignment in ALIGNMENTS:
            yield "solopo:" + base, {**options, **alignment}


def main():
    cases = []
    for p in pairs():
        exact = {r: {k: mp.mpf(v) for k, v in y.items()} for r, y in p.items()}
        for name, options in configurations():
            o = {k: f32(v) if isinstance(v, float) else v for k, v in options.items()}
            cases.append({"objective": name, "options": options, "pair": p, "loss": float(loss(name, exact, o)),
                          "gradient": [float(x) for x in gradient(name, exact, o)]})
    versions = {"python": platform.python_version(), "mpmath": mp.__version__, "numpy": np.__version__}
    with open("tests/golden/objectives.json", "w") as out:
        lines = ",\n".join(json.dumps(c) for c in cases)
        out.write('{"versions": %s,\n"cases": [\n%s\n]}\n' % (json.dumps(versions), lines))


if __name__ == "__main__":
    main()
