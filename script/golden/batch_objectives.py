#!/usr/bin/env python3
"""Writes tests/golden/batch_objectives.json: objectives that couple the pairs of a batch, or carry a state.

An independent implementation, as objectives.py, whose formulas of rewards, distances and labels it shares. A case runs
an objective over the file's batches one after another, as training does: the state takes a batch in, then the batch's
loss is computed. What a paper holds without gradient is computed once from the batch as it is ("fixed") and kept while
a log-probability is varied. Losses are means over the batch, gradients those of the mean by the log-probabilities of
chosen, rejected, chosen_long, rejected_long and third of each pair. beta-dpo keeps all pairs here: which ones it keeps
otherwise is drawn at random.

Run from the repository root:  python3 script/golden/batch_objectives.py     (needs mpmath and numpy)
"""
import json
import random

import extreme_objectives as extreme
import mpmath as mp
import numpy as np
import objectives as single
from objectives import ROLES, f32, log_ratio, log_ratio_margin, mean_log_ratio, mean_logp, sigmoid, log_sigmoid, smoothed


def mean(xs):
    return sum(xs) / len(xs)


def deviation(xs):
    return mp.sqrt(sum((x - mean(xs)) ** 2 for x in xs) / (len(xs) - 1)) if len(xs) > 1 else mp.mpf(0)


class Moving:
    """The moving averages of alpha-DPO and beta-DPO: both from 0, a batch counts with a tenth."""

    def __init__(self, statistic):
        self.statistic, self.mean, self.deviation = statistic, mp.mpf(0), mp.mpf(0)

    def take(self, batch, o):
        values = [self.statistic(p) for p in batch]
        self.mean = self.mean * mp.mpf("0.9") + mean(values) * mp.mpf("0.1")
        self.deviation = self.deviation * mp.mpf("0.9") + deviation(values) * mp.mpf("0.1")


class Stateless:
    def take(self, batch, o):
        pass


class KTO(Stateless):  # arXiv 2402.01306
    def fixed(self, batch, o):
        return max(mp.mpf(0), mean([log_ratio(p, "third") for p in batch]))

    def loss(self, batch, o, z):
        return mean([single.apo_zero_unpaired(p, {**o, "reference_point": z}) for p in batch])


class BCO:  # arXiv 2404.04656
    def __init__(self):
        self.seen = []

    def take(self, batch, o):
        self.seen += [o["beta"] * log_ratio(p, "chosen") for p in batch]

    def fixed(self, batch, o):
        return mean(self.seen)

    def loss(self, batch, o, delta):
        def one(p):
            r = o["beta"] * log_ratio(p, "chosen")
            return -log_sigmoid(r - delta) if p["label"] > 0 else -log_sigmoid(delta - r)
        return mean([one(p) for p in batch])


class AOT(Stateless):  # arXiv 2406.05882
    def fixed(self, batch, o):
        return None

    def loss(self, batch, o, fixed):
        policy = sorted(p["chosen"]["logp"] - p["rejected"]["logp"] for p in batch)
        reference = sorted(p["chosen"]["ref_logp"] - p["rejected"]["ref_logp"] for p in batch)
        return mean([smoothed(o["beta"] * (a - b), o) for a, b in zip(policy, reference)])


class AOTUnpaired(AOT):
    def loss(self, batch, o, fixed):
        chosen, rejected = (sorted(log_ratio(p, role) for p in batch) for role in ["chosen", "rejected"])
        return mean([smoothed(o["beta"] * (a - b), o) for a, b in zip(chosen, rejected)])


def drift(p):
    return mean_log_ratio(p, "chosen") - mean_log_ratio(p, "rejected")


class AlphaDPO(Moving):  # arXiv 2410.10148
    def __init__(self):
        super().__init__(drift)

    def fixed(self, batch, o):
        return [(drift(p) - self.mean) / self.deviation for p in batch]

    def loss(self, batch, o, moved):
        return mean([smoothed(o["beta"] * (mean_logp(p, "chosen") - mean_logp(p, "rejected") - o["margin_alpha"] * m)
                              - o["gamma"], o) for p, m in zip(batch, moved)])


class BetaDPO(Moving):  # arXiv 2407.08639
    def __init__(self):
        super().__init__(log_ratio_margin)

    def fixed(self, batch, o):
        scale = 1 + o["batch_weight"] * (mean([log_ratio_margin(p) for p in batch]) - self.mean)
        return max(mp.mpf("0.001"), o["beta"] * scale)

    def loss(self, batch, o, beta):
        return mean([-log_sigmoid(beta * log_ratio_margin(p)) for p in batch])


OBJECTIVES = {"kto": KTO, "bco": BCO, "aot": AOT, "aot-unpaired": AOTUnpaired, "alpha-dpo": AlphaDPO,
              "beta-dpo": BetaDPO}
for name in OBJECTIVES:
    single.REWARDS[name] = single.scaled_mean_logp if name == "alpha-dpo" else single.scaled_log_ratio

CASES = [
    ("kto", {"beta": 0.1, "desirable_weight": 1.0, "undesirable_weight": 1.0}, single.PLAIN),
    ("kto", {"beta": 0.6, "desirable_weight": 1.25, "undesirable_weight": 0.4}, single.BOTH),
    ("bco", {"beta": 0.1}, single.SQUARED), ("bco", {"beta": 0.7}, single.STOPPED),
    ("aot", {"beta": 0.1, "label_smoothing": 0.0}, single.HUBER),
    ("aot", {"beta": 0.5, "label_smoothing": 0.2}, single.BOTH),
    ("aot-unpaired", {"beta": 0.1, "label_smoothing": 0.0}, single.STOPPED),
    ("aot-unpaired", {"beta": 0.5, "label_smoothing": 0.2}, single.PLAIN),
    ("alpha-dpo", {"beta": 2.5, "gamma": 0.5, "margin_alpha": 0.1, "label_smoothing": 0.0}, single.WIDE),
    ("alpha-dpo", {"beta": 10.0, "gamma": 4.0, "margin_alpha": 0.05, "label_smoothing": 0.1}, single.PLAIN),
    ("beta-dpo", {"beta": 0.1, "batch_weight": 0.6, "keep": 1.0}, single.SQUARED),
    ("beta-dpo", {"beta": 0.4, "batch_weight": 0.1, "keep": 1.0}, single.BOTH),
]


def batches():
    """Three batches of 5, 4 and 6 pairs, and one of pairs of extreme_objectives.py, whose z is 1000."""
    draw = random.Random(20261124)
    for size in [5, 4, 6]:
        batch = []
        for i in range(size):
            p = {}
            for role in ROLES:
                length = draw.randint(1, 40)
                logp = -draw.randint(1, 160 * length) / 64
                p[role] = {"logp": logp, "ref_logp": logp + draw.randint(-256, 256) / 64, "length": length}
            batch.append({**p, "score_chosen": 2, "score_rejected": 1, "label": draw.randint(0, 1), "mean_length": 1})
        batch[0]["label"], batch[1]["label"] = 1, 0
        yield with_mean_length(batch)
    listed = list(extreme.pairs())
    batch = [{k: v for k, v in listed[i].items() if k != "about"} for i in [0, 1, 2, 3, 7, 8]]
    batch[0]["third"] = {**batch[0]["third"], "ref_logp": batch[0]["third"]["logp"] - 6005}
    yield with_mean_length(batch)


def with_mean_length(batch):  # as a collator sets it
    for p in batch:
        p["mean_length"] = sum(q["chosen"]["length"] for q in batch) / len(batch)
    return batch


def run(name, options, alignment):
    base = name.split(":")[-1]
    rule, o, out = OBJECTIVES[base](), options, []
    for batch in EXACT:
        rule.take(batch, o)
        fixed = rule.fixed(batch, o)

        def loss(pairs):
            total = rule.loss(pairs, o, fixed)
            if alignment:
                stopped = o.get("stop_short_gradient")
                total += mean([single.alignment(base, p, o, q if stopped else p) for p, q in zip(pairs, batch)])
            return total

        def slope(i, role):
            def along(x):
                pairs = list(batch)
                pairs[i] = {**pairs[i], role: {**pairs[i][role], "logp": x}}
                return loss(pairs)
            return single.derivative(along, batch[i][role]["logp"])

        out.append({"loss": float(loss(batch)),
                    "gradient": [[float(slope(i, role)) for role in ROLES] for i in range(len(batch))]})
    return out


BATCHES = list(batches())
EXACT = [[single.exact_pair(p) for p in batch] for batch in BATCHES]


def main():
    cases = []
    for name, options, alignment in CASES:
        for full, o in [(name, options), ("solopo:" + name, {**options, **alignment})]:
            exact = {k: f32(v) if isinstance(v, float) else v for k, v in o.items()}
            cases.append({"objective": full, "options": o, "batches": run(full, exact, full != name)})
    for name in OBJECTIVES:  # each twice, short-to-long too
        assert sum(c["objective"] == "solopo:" + name for c in cases) >= 2
    versions = {"mpmath": mp.__version__, "numpy": np.__version__}
    with open("tests/golden/batch_objectives.json", "w") as out:
        lines = ",\n".join(json.dumps(c) for c in cases)
        batch_lines = ",\n".join(json.dumps(b) for b in BATCHES)
        out.write('{"versions": %s,\n"batches": [\n%s\n],\n"cases": [\n%s\n]}\n' % (json.dumps(versions), batch_lines, lines))


if __name__ == "__main__":
    main()
