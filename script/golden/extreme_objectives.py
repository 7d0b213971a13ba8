#!/usr/bin/env python3
"""Writes tests/golden/extreme_objectives.json: every objective of a pair where trainers lose their digits.

The formulas of objectives.py, 60 digits, in the same format. The pairs: margins of 10^4 either way, summed and in one
token; log-probabilities of 0 and just below it; a response against itself; responses of one token. The options: usual
ones, and beta 1e-6 and 100 wherever there is a beta. Two conventions of the library show here, in objectives.py too:
huge exponentials go on as tangents, and ORPO's mean log-probability stops at -1e-6.

Run from the repository root:  python3 script/golden/extreme_objectives.py     (needs mpmath and numpy)
"""
import objectives as single


def response(logp, ref_logp, length):
    return {"logp": logp, "ref_logp": ref_logp, "length": length}


# What the pair shows, chosen, rejected.
PAIRS = [
    ("right by 10^4", response(-16, -5016, 200), response(-6000, -1000, 250)),
    ("wrong by 10^4", response(-6000, -1000, 250), response(-16, -5016, 200)),
    ("right by 10^4 in one token", response(-0.5, -8, 1), response(-10000.5, -9, 1)),
    ("wrong by 10^4 in one token", response(-10000.5, -9, 1), response(-0.5, -8, 1)),
    ("certain answers", response(-2.0**-20, -0.25, 8), response(-2.0**-18, -0.5, 4)),
    ("chosen has probability one", response(0, -2, 5), response(-3.75, -2.5, 6)),
    ("both have probability one", response(0, -1, 3), response(0, -1.5, 7)),
    ("nearly certain answers", response(-2.0**-12, -0.25, 4), response(-2.0**-13, -0.5, 2)),
    ("a response against itself", response(-21.5, -20, 13), response(-21.5, -20, 13)),
    ("a response against itself, policy and reference agree", response(-21.5, -21.5, 13), response(-21.5, -21.5, 13)),
    ("one token each", response(-1.25, -1.5, 1), response(-2.75, -1.75, 1)),
]


def pairs():
    for i, (about, chosen, rejected) in enumerate(PAIRS):
        longer = [{**y, "logp": y["logp"] - 0.75} for y in (chosen, rejected)]
        yield {"about": about, "chosen": chosen, "rejected": rejected, "chosen_long": longer[0],
               "rejected_long": longer[1], "third": response(-12, -11, 6), "score_chosen": 3.5, "score_rejected": 0.25,
               "label": (i + 1) % 2, "mean_length": chosen["length"]}


def configurations():
    seen = []
    for name, options in [*single.BASES, *((n, o) for n, o, _ in single.ALIGNED)]:
        key = (name, options.get("normalise"), options.get("divergence"), options.get("offset"))
        if key in seen or name == "longpo":
            continue
        seen.append(key)
        yield name, options
        if "beta" in options:
            yield name, {**options, "beta": 1e-6}
            yield name, {**options, "beta": 100.0}
    for base in ["dpo", "simpo", "orpo"]:
        yield "solopo:" + base, {**next(o for n, o in single.BASES if n == base), **single.SQUARED}


def on_a_kink(name, p):
    return name == "dpop" and p["chosen"]["logp"] == p["chosen"]["ref_logp"]


if __name__ == "__main__":
    single.write("tests/golden/extreme_objectives.json", list(single.with_statistics(pairs())), list(configurations()), skip=on_a_kink)
