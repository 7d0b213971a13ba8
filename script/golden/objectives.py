#!/usr/bin/env python3
"""Writes tests/golden/objectives.json: losses and gradients of every objective on a few pairs.

An independent implementation: formulas written from the papers, computed with 60 digits by mpmath, derivatives by
mpmath's numerical differentiation. Nothing here is taken from the C++ headers; only the continuation of huge
exponentials (exp_minus_1) and the clamp of log_odds are conventions shared with the library. Hyper-parameters are rounded to float32 first,
because the library stores them so; log-probabilities are multiples of 1/64, exact in both types.

The file lists the pairs once; a case names its pair by index. The gradient's five entries are the derivatives by the
log-probabilities of chosen, rejected, chosen_long, rejected_long and third; by_statistic, where there is one, those by
their statistics.

Run from the repository root:  python3 script/golden/objectives.py     (needs mpmath and numpy)
"""
import json
import random

import mpmath as mp
import numpy as np

mp.mp.dps = 60
ROLES = ["chosen", "rejected", "chosen_long", "rejected_long", "third"]


def f32(x):
    return mp.mpf(float(np.float32(x)))


def sigmoid(z):
    return 1 / (1 + mp.exp(-z))


def log_sigmoid(z):
    return -mp.log(1 + mp.exp(-z))


def exp_minus_1(u):
    """e^u - 1, continued from u = 30 on by its tangent: the library's convention."""
    return mp.expm1(u) if u <= 30 else mp.expm1(30) + mp.exp(30) * (u - 30)


def log_ratio(p, role):
    return p[role]["logp"] - p[role]["ref_logp"]


def mean_log_ratio(p, role):
    return log_ratio(p, role) / p[role]["length"]


def mean_logp(p, role):
    return p[role]["logp"] / p[role]["length"]


def log_odds(p, role):
    """The mean log-probability stops at -1e-6: the library's convention."""
    likelihood = mp.exp(min(mean_logp(p, role), -f32(1e-6)))
    return mp.log(likelihood / (1 - likelihood))


def log_ratio_margin(p):
    return log_ratio(p, "chosen") - log_ratio(p, "rejected")


def mean_logp_margin(p):
    return mean_logp(p, "chosen") - mean_logp(p, "rejected")


def nll(p, o):
    tokens = {"per_response": p["chosen"]["length"], "sum": 1, "batch_tokens": p["mean_length"]}
    return -p["chosen"]["logp"] / tokens[o.get("nll", "per_response")]


def smoothed(z, o):  # the label smoothing of cDPO
    e = o["label_smoothing"]
    return -(1 - e) * log_sigmoid(z) - e * log_sigmoid(-z)


def divergence_score(x, o):  # f'(e^x) of the divergence's f, shifted to vanish at x = 0
    if o["divergence"] == "reverse_kl":
        return x
    if o["divergence"] == "forward_kl":
        return -exp_minus_1(-x)
    if o["divergence"] == "js":
        return mp.log(2) + log_sigmoid(x)
    return exp_minus_1((o["divergence_alpha"] - 1) * x) / (o["divergence_alpha"] - 1)


# Each objective's implicit reward of one response.
def scaled_log_ratio(p, role, o):
    return o["beta"] * log_ratio(p, role)


def scaled_mean_log_ratio(p, role, o):
    return o["beta"] * mean_log_ratio(p, role)


def scaled_mean_logp(p, role, o):
    return o["beta"] * mean_logp(p, role)


def alphapo_reward(p, role, o):
    a, m = o["reward_alpha"], mean_logp(p, role)
    return o["beta"] * (m if a == 0 else -exp_minus_1(-a * m) / a)


def desensitised(y, o):  # arXiv 2409.06411; the statistic is the log-probability of the head
    def weighted(whole, head):
        return o["ld_alpha"] * whole + (1 - o["ld_alpha"]) * head
    both = o["desensitise"] == "both"
    reference = weighted(y["ref_logp"], y["ref_statistic"]) if both else y["ref_logp"]
    return weighted(y["logp"], y["statistic"]) - reference


REWARDS = {
    **dict.fromkeys(["dpo", "hinge", "robust", "exo-pair", "nca-pair", "sppo-hard", "bco-pair", "apo-zero", "apo-down",
                     "discopop", "r-dpo", "dpop", "rpo", "mpo", "odpo", "apo-zero-unpaired", "wpo", "tdpo1",
                     "tdpo2"], scaled_log_ratio),
    "ipo": lambda p, role, o: (scaled_log_ratio if sums(o) else scaled_mean_log_ratio)(p, role, o),
    "sigmoid-norm": scaled_mean_log_ratio,
    "ld-dpo": lambda p, role, o: o["beta"] * desensitised(p[role], o),
    "simpo": scaled_mean_logp,
    "logo": scaled_mean_logp,
    "tpo": lambda p, role, o: o["beta"] * (p[role]["logp"] if o["normalise"] == "sum" else mean_logp(p, role)),
    "cpo-simpo": scaled_mean_logp,
    "cpo": lambda p, role, o: o["beta"] * p[role]["logp"],
    "f-dpo": lambda p, role, o: o["beta"] * divergence_score(log_ratio(p, role), o),
    "alphapo": alphapo_reward,
    "orpo": lambda p, role, o: log_odds(p, role),
    "sft": lambda p, role, o: mean_logp(p, role),
    "repo": lambda p, role, o: mean_logp(p, role),
    "simper": lambda p, role, o: mp.exp(mean_logp(p, role)),
}


# Loss of a pair under its short prompt.
def dpo(p, o):  # arXiv 2305.18290
    return smoothed(o["beta"] * log_ratio_margin(p), o)


def simpo(p, o):  # arXiv 2405.14734
    return smoothed(o["beta"] * mean_logp_margin(p) - o["gamma"], o)


def orpo(p, o):  # arXiv 2403.07691
    ratio = log_odds(p, "chosen") - log_odds(p, "rejected")
    return nll(p, o) - o["lambda"] * log_sigmoid(ratio)


def sums(o):
    return o.get("normalise") == "sum"


def ipo(p, o):  # arXiv 2310.12036
    d = log_ratio_margin(p) if sums(o) else mean_log_ratio(p, "chosen") - mean_log_ratio(p, "rejected")
    return (d - 1 / (2 * o["beta"])) ** 2


def hinge(p, o):  # arXiv 2305.10425
    return max(mp.mpf(0), 1 - o["beta"] * log_ratio_margin(p))


def sft(p, o):
    return -mean_logp(p, "chosen")


def robust(p, o):  # arXiv 2403.00409
    z, e = o["beta"] * log_ratio_margin(p), o["label_smoothing"]
    return (-(1 - e) * log_sigmoid(z) + e * log_sigmoid(-z)) / (1 - 2 * e)


def sigmoid_norm(p, o):  # arXiv 2411.15124
    return smoothed(o["beta"] * (mean_log_ratio(p, "chosen") - mean_log_ratio(p, "rejected")), o)


def cpo(p, o):  # arXiv 2401.08417
    z = o["beta"] * (p["chosen"]["logp"] - p["rejected"]["logp"])
    return smoothed(z, o) + o["nll_weight"] * nll(p, o)


def cpo_simpo(p, o):  # arXiv 2401.08417 with the margin of 2405.14734
    return simpo(p, o) + o["nll_weight"] * nll(p, o)


def exo_pair(p, o):  # arXiv 2402.00856
    z, e = o["beta"] * log_ratio_margin(p), o["label_smoothing"]
    return sigmoid(z) * (log_sigmoid(z) - mp.log(1 - e)) + sigmoid(-z) * (log_sigmoid(-z) - mp.log(e))


def both_rewards(p, o):
    return scaled_log_ratio(p, "chosen", o), scaled_log_ratio(p, "rejected", o)


def nca_pair(p, o):  # arXiv 2402.05369
    w, l = both_rewards(p, o)
    return -log_sigmoid(w) - (log_sigmoid(-w) + log_sigmoid(-l)) / 2


def sppo_hard(p, o):  # arXiv 2405.00675
    target = 1 / (2 * o["beta"])
    return (log_ratio(p, "chosen") - target) ** 2 + (log_ratio(p, "rejected") + target) ** 2


def bco_pair(p, o):  # arXiv 2404.04656
    w, l = both_rewards(p, o)
    return -log_sigmoid(w - o["delta"]) - log_sigmoid(-(l - o["delta"]))


def apo_zero(p, o):  # arXiv 2408.06266
    w, l = both_rewards(p, o)
    return 1 - sigmoid(w) + sigmoid(l)


def apo_down(p, o):  # arXiv 2408.06266
    w, l = both_rewards(p, o)
    return sigmoid(w) + 1 - sigmoid(w - l)


def discopop(p, o):  # arXiv 2406.08414
    z = o["beta"] * log_ratio_margin(p)
    return -sigmoid(-z / o["tau"]) * log_sigmoid(z) + sigmoid(z / o["tau"]) * mp.exp(-z)


def f_dpo(p, o):  # arXiv 2309.16240
    chosen, rejected = (divergence_score(log_ratio(p, role), o) for role in ["chosen", "rejected"])
    return smoothed(o["beta"] * (chosen - rejected), o)


def alphapo(p, o):  # arXiv 2501.03884
    return -log_sigmoid(alphapo_reward(p, "chosen", o) - alphapo_reward(p, "rejected", o) - o["gamma"])


def repo(p, o):  # arXiv 2503.07426
    return max(mp.mpf(0), o["gamma"] - mean_logp_margin(p))


def simper(p, o):  # arXiv 2502.00883
    return -mp.exp(mean_logp(p, "chosen")) + mp.exp(mean_logp(p, "rejected"))


def r_dpo(p, o):  # arXiv 2403.19159
    lengths = p["chosen"]["length"] - p["rejected"]["length"]
    return -log_sigmoid(o["beta"] * log_ratio_margin(p) + o["length_weight"] * lengths)


def dpop(p, o):  # arXiv 2402.13228
    return -log_sigmoid(o["beta"] * (log_ratio_margin(p) - o["lambda"] * max(mp.mpf(0), -log_ratio(p, "chosen"))))


def rpo(p, o):  # arXiv 2404.19733
    return dpo(p, o) + o["nll_weight"] * nll(p, o)


def mpo(p, o):  # arXiv 2411.10442
    preference = -log_sigmoid(o["beta"] * log_ratio_margin(p))
    quality = bco_pair(p, {**o, "delta": 0})
    return o["dpo_weight"] * preference + o["bco_weight"] * quality + o["nll_weight"] * nll(p, o)


def odpo(p, o):  # arXiv 2402.10571
    better = p["score_chosen"] - p["score_rejected"]
    offset = {"log_difference": mp.log(better), "difference": better,
              "log_ratio": mp.log(p["score_chosen"] / p["score_rejected"])}[o["offset"]]
    return -log_sigmoid(o["beta"] * log_ratio_margin(p) - o["offset_weight"] * offset)


def ld_dpo(p, o):  # arXiv 2409.06411
    return smoothed(REWARDS["ld-dpo"](p, "chosen", o) - REWARDS["ld-dpo"](p, "rejected", o), o)


def tpo(p, o):  # arXiv 2405.16681
    margin = REWARDS["tpo"](p, "chosen", o) - REWARDS["tpo"](p, "rejected", o) - o["gamma"]
    return smoothed(margin, o) - o["nll_weight"] * mean_logp(p, "third")


def logo(p, o):  # arXiv 2410.18533
    rejected = (mean_logp(p, "rejected") + mean_logp(p, "third")) / 2
    margin = o["beta"] * (mean_logp(p, "chosen") - rejected) - o["gamma"]
    return -log_sigmoid(margin) + o["nll_weight"] * nll(p, o)


def longpo(p, o):  # arXiv 2502.13922; third is the sequence of long prompt and chosen response
    return o["dpo_weight"] * dpo(p, o) - o["lm_weight"] * mean_logp(p, "third")


def wpo(p, o, fixed):  # arXiv 2406.11827; the statistic is the sum of ln sum_v p_v^2, the weight is held fixed
    v = sum((y["logp"] - y["statistic"]) / y["length"] for y in (fixed["chosen"], fixed["rejected"]))
    return mp.exp(min(v, 0 if o["clamp_weight"] else 60)) * dpo(p, o)


def tdpo1(p, o):  # arXiv 2404.11999; the statistic is the sequential divergence
    return -log_sigmoid(o["beta"] * (log_ratio_margin(p) - p["rejected"]["statistic"] + p["chosen"]["statistic"]))


def tdpo2(p, o, fixed):  # the chosen response's divergence is held fixed
    drift = p["rejected"]["statistic"] - fixed["chosen"]["statistic"]
    return -log_sigmoid(o["beta"] * (log_ratio_margin(p) - o["kl_weight"] * drift))


def apo_zero_unpaired(p, o):  # arXiv 2408.06266; with a reference point arXiv 2402.01306
    moved = o["beta"] * (log_ratio(p, "chosen") - o["reference_point"])
    if p["label"] > 0:
        return o["desirable_weight"] * (1 - sigmoid(moved))
    return o["undesirable_weight"] * (1 - sigmoid(-moved))


LOSSES = {
    "dpo": dpo, "longpo": longpo, "simpo": simpo, "orpo": orpo, "ipo": ipo, "hinge": hinge, "sft": sft, "robust": robust,
    "sigmoid-norm": sigmoid_norm, "cpo": cpo, "cpo-simpo": cpo_simpo, "exo-pair": exo_pair, "nca-pair": nca_pair,
    "sppo-hard": sppo_hard, "bco-pair": bco_pair, "apo-zero": apo_zero, "apo-down": apo_down, "discopop": discopop,
    "f-dpo": f_dpo, "alphapo": alphapo, "repo": repo, "simper": simper, "r-dpo": r_dpo, "dpop": dpop, "rpo": rpo,
    "mpo": mpo, "odpo": odpo, "ld-dpo": ld_dpo, "tpo": tpo, "logo": logo, "apo-zero-unpaired": apo_zero_unpaired,
    "tdpo1": tdpo1,
}

# Losses of which a part is held fixed, so that it has no derivative.
PARTLY_FIXED = {"wpo": wpo, "tdpo2": tdpo2}
STATISTICAL = ("ld-dpo", "tdpo1", "tdpo2")  # have derivatives by their statistics

# Whose records have one response and a label.
LABELLED = {"apo-zero-unpaired", "kto", "bco"}


def distance(d, o):
    kind = o.get("distance", "absolute")
    if kind == "absolute":
        return abs(d)
    if kind == "squared":
        return d * d
    delta = o.get("huber_delta", mp.mpf(1))
    return d * d / 2 if abs(d) <= delta else delta * (abs(d) - delta / 2)


def loss(name, p, o, fixed=None):
    """`fixed`: the pair that supplies what is held fixed, and with a stopped gradient the alignment's short side."""
    base = name.split(":")[-1]
    value = PARTLY_FIXED[base](p, o, fixed or p) if base in PARTLY_FIXED else LOSSES[base](p, o)
    if not name.startswith("solopo:"):
        return value
    return value + alignment(base, p, o, fixed if fixed and o.get("stop_short_gradient") else p)


def alignment(base, p, o, short):  # arXiv 2505.11166
    reward, both = REWARDS[base], o.get("scope") == "both"
    if base in LABELLED and p["label"] <= 0 and not both:
        return mp.mpf(0)
    total = o["alpha"] * distance(reward(short, "chosen", o) - reward(p, "chosen_long", o), o)
    if both and base not in LABELLED:
        total += o["alpha"] * distance(reward(short, "rejected", o) - reward(p, "rejected_long", o), o)
    return total


class Kink(ValueError):
    pass


def derivative(f, x):
    left, right = mp.diff(f, x, direction=-1), mp.diff(f, x, direction=1)
    if abs(right - left) > mp.mpf("1e-25") * max(1, abs(right)):
        raise Kink("the pair lies on a kink: choose other options")
    return (left + right) / 2


def gradient(name, p, o, field="logp"):
    out = []
    for role in ROLES:
        def along(x):
            q = {r: dict(v) if r in ROLES else v for r, v in p.items()}
            q[role][field] = x
            return loss(name, q, o, p)
        out.append(derivative(along, p[role][field]))
    return out


def with_extras(pairs):
    draw = random.Random(20240612)
    for i, p in enumerate(pairs):
        length = draw.randint(1, 60)
        logp = -draw.randint(1, 160 * length) / 64
        rejected = draw.randint(1, 640) / 64
        yield {**p, "third": {"logp": logp, "ref_logp": logp + draw.randint(-256, 256) / 64, "length": length},
               "score_chosen": rejected + draw.randint(1, 256) / 64, "score_rejected": rejected, "label": (i + 1) % 2,
               "mean_length": draw.randint(64, 1920) / 64}


def with_statistics(pairs):
    draw = random.Random(20260101)
    for p in pairs:
        yield {r: {**v, "statistic": -draw.randint(0, 640) / 64, "ref_statistic": -draw.randint(0, 640) / 64}
               if r in ROLES else v for r, v in p.items()}


def pairs():
    draw = random.Random(20240611)
    for _ in range(6):
        p = {}
        for role in ROLES[:4]:
            length = draw.randint(1, 60)
            logp = -(draw.randint(1, 160 * length)) / 64
            p[role] = {"logp": logp, "ref_logp": logp + draw.randint(-256, 256) / 64, "length": length}
        p["chosen_long"]["length"] = p["chosen"]["length"]
        p["rejected_long"]["length"] = p["rejected"]["length"]
        yield p
    # A likelihood on either side of 1/2, and margins far out.
    yield {"chosen": {"logp": -5.5, "ref_logp": -6, "length": 8},
           "rejected": {"logp": -5.59375, "ref_logp": -5, "length": 8},
           "chosen_long": {"logp": -0.0625, "ref_logp": -7, "length": 8},
           "rejected_long": {"logp": -9, "ref_logp": -7, "length": 8}}
    yield {"chosen": {"logp": -3000, "ref_logp": -20, "length": 3},
           "rejected": {"logp": -4, "ref_logp": -2000, "length": 5},
           "chosen_long": {"logp": -900, "ref_logp": -25, "length": 3},
           "rejected_long": {"logp": -7, "ref_logp": -5, "length": 5}}


BASES = [
    ("dpo", {"beta": 0.1, "label_smoothing": 0.0}), ("dpo", {"beta": 0.5, "label_smoothing": 0.2}),
    ("dpo", {"beta": 1e-6, "label_smoothing": 0.5}), ("simpo", {"beta": 2.0, "gamma": 0.5, "label_smoothing": 0.0}),
    ("simpo", {"beta": 10.0, "gamma": 3.0, "label_smoothing": 0.1}),
    ("orpo", {"lambda": 0.1}), ("orpo", {"lambda": 1.0}), ("ipo", {"beta": 0.1}), ("ipo", {"beta": 2.5}),
    ("hinge", {"beta": 0.1}), ("hinge", {"beta": 0.05}), ("sft", {}),
    ("longpo", {"beta": 0.01, "dpo_weight": 0.01, "lm_weight": 1.0, "label_smoothing": 0.0}),
    ("longpo", {"beta": 0.1, "dpo_weight": 0.7, "lm_weight": 0.4, "label_smoothing": 0.2}),
]
PLAIN, SQUARED = {"alpha": 3.0}, {"alpha": 1.0, "distance": "squared"}
HUBER, BOTH = {"alpha": 0.7, "distance": "huber", "huber_delta": 0.25}, {"alpha": 1.0, "scope": "both"}
STOPPED = {"alpha": 2.0, "distance": "squared", "scope": "both", "stop_short_gradient": True}
WIDE = {"alpha": 0.5, "distance": "huber", "huber_delta": 2.0, "scope": "both"}
FIXED = {"alpha": 1.5, "distance": "absolute", "scope": "chosen", "stop_short_gradient": True}
ALIGNMENTS = [PLAIN, SQUARED, HUBER, BOTH, STOPPED]

# Each runs plain and with one alignment; a squared distance of the tangent's values would leave float32.
ALIGNED = [
    ("ipo", {"beta": 0.1, "normalise": "mean"}, WIDE),
    ("ipo", {"beta": 0.1, "normalise": "sum"}, SQUARED),
    ("ipo", {"beta": 2.5, "normalise": "sum"}, FIXED),
    ("robust", {"beta": 0.1, "label_smoothing": 0.1}, PLAIN),
    ("robust", {"beta": 0.5, "label_smoothing": 0.4}, STOPPED),
    ("sigmoid-norm", {"beta": 0.1, "label_smoothing": 0.0}, SQUARED),
    ("sigmoid-norm", {"beta": 5.0, "label_smoothing": 0.15}, WIDE),
    ("cpo", {"beta": 0.1, "nll_weight": 1.0, "label_smoothing": 0.0, "nll": "per_response"}, HUBER),
    ("cpo", {"beta": 0.02, "nll_weight": 0.3, "label_smoothing": 0.25, "nll": "sum"}, STOPPED),
    ("cpo-simpo", {"beta": 2.0, "gamma": 0.5, "nll_weight": 1.0, "label_smoothing": 0.0, "nll": "per_response"},
     BOTH),
    ("cpo-simpo", {"beta": 10.0, "gamma": 5.4, "nll_weight": 0.05, "label_smoothing": 0.1, "nll": "sum"}, SQUARED),
    ("exo-pair", {"beta": 0.1, "label_smoothing": 0.001}, STOPPED),
    ("exo-pair", {"beta": 0.7, "label_smoothing": 0.3}, PLAIN),
    ("nca-pair", {"beta": 0.1}, WIDE), ("nca-pair", {"beta": 0.01}, FIXED),
    ("sppo-hard", {"beta": 0.1}, FIXED), ("sppo-hard", {"beta": 0.001}, SQUARED),
    ("bco-pair", {"beta": 0.1, "delta": 0.0}, SQUARED), ("bco-pair", {"beta": 0.4, "delta": -0.8}, BOTH),
    ("apo-zero", {"beta": 0.1}, HUBER), ("apo-zero", {"beta": 1.5}, WIDE),
    ("apo-down", {"beta": 0.1}, BOTH), ("apo-down", {"beta": 1.5}, STOPPED),
    ("discopop", {"beta": 0.05, "tau": 0.05}, PLAIN), ("discopop", {"beta": 0.01, "tau": 0.5}, SQUARED),
    ("f-dpo", {"beta": 0.1, "label_smoothing": 0.0, "divergence": "reverse_kl"}, SQUARED),
    ("f-dpo", {"beta": 0.1, "label_smoothing": 0.0, "divergence": "forward_kl"}, BOTH),
    ("f-dpo", {"beta": 0.1, "label_smoothing": 0.0, "divergence": "js"}, STOPPED),
    ("f-dpo", {"beta": 0.1, "label_smoothing": 0.0, "divergence": "alpha", "divergence_alpha": 0.5}, HUBER),
    ("f-dpo", {"beta": 0.6, "label_smoothing": 0.2, "divergence": "forward_kl"}, FIXED),
    ("f-dpo", {"beta": 1.2, "label_smoothing": 0.3, "divergence": "alpha", "divergence_alpha": 0.99}, PLAIN),
    ("alphapo", {"beta": 2.5, "gamma": 0.5, "reward_alpha": 0.0}, SQUARED),
    ("alphapo", {"beta": 2.5, "gamma": 0.5, "reward_alpha": 0.25}, PLAIN),
    ("alphapo", {"beta": 2.5, "gamma": 0.5, "reward_alpha": -0.5}, STOPPED),
    ("alphapo", {"beta": 10.0, "gamma": 3.0, "reward_alpha": 0.05}, WIDE),
    ("repo", {"gamma": 0.5}, FIXED), ("repo", {"gamma": 1.4}, SQUARED),
    ("simper", {}, PLAIN), ("simper", {}, WIDE),
    ("r-dpo", {"beta": 0.1, "length_weight": 0.01}, HUBER), ("r-dpo", {"beta": 0.5, "length_weight": -0.08}, BOTH),
    ("dpop", {"beta": 0.3, "lambda": 50.0}, FIXED), ("dpop", {"beta": 0.1, "lambda": 0.5}, SQUARED),
    ("rpo", {"beta": 0.1, "nll_weight": 1.0, "label_smoothing": 0.0, "nll": "per_response"}, WIDE),
    ("rpo", {"beta": 0.5, "nll_weight": 0.02, "label_smoothing": 0.2, "nll": "sum"}, PLAIN),
    ("mpo", {"beta": 0.1, "dpo_weight": 0.8, "bco_weight": 0.2, "nll_weight": 1.0}, STOPPED),
    ("cpo", {"beta": 0.1, "nll_weight": 1.0, "label_smoothing": 0.0, "nll": "batch_tokens"}, FIXED),
    ("cpo-simpo", {"beta": 2.0, "gamma": 0.5, "nll_weight": 1.0, "label_smoothing": 0.0, "nll": "batch_tokens"}, WIDE),
    ("orpo", {"lambda": 0.1, "nll": "batch_tokens"}, HUBER),
    ("rpo", {"beta": 0.1, "nll_weight": 0.5, "label_smoothing": 0.0, "nll": "batch_tokens"}, BOTH),
    ("mpo", {"beta": 0.1, "dpo_weight": 0.5, "bco_weight": 0.3, "nll_weight": 0.2, "nll": "batch_tokens"}, SQUARED),
    ("odpo", {"beta": 0.1, "offset_weight": 1.0, "offset": "log_difference"}, SQUARED),
    ("odpo", {"beta": 0.5, "offset_weight": 0.3, "offset": "difference"}, BOTH),
    ("odpo", {"beta": 0.3, "offset_weight": 1.5, "offset": "log_ratio"}, STOPPED),
    ("ld-dpo", {"beta": 0.1, "ld_alpha": 0.5, "label_smoothing": 0.0, "desensitise": "both"}, SQUARED),
    ("ld-dpo", {"beta": 0.4, "ld_alpha": 0.2, "label_smoothing": 0.1, "desensitise": "policy"}, STOPPED),
    ("tpo", {"beta": 0.01, "gamma": 0.0, "nll_weight": 1.0, "label_smoothing": 0.0, "normalise": "sum"}, PLAIN),
    ("tpo", {"beta": 2.0, "gamma": 0.5, "nll_weight": 0.3, "label_smoothing": 0.1, "normalise": "mean"}, WIDE),
    ("logo", {"beta": 10.0, "gamma": 3.0, "nll_weight": 0.1, "nll": "per_response"}, BOTH),
    ("logo", {"beta": 3.0, "gamma": 0.6, "nll_weight": 1.0, "nll": "batch_tokens"}, SQUARED),
    ("apo-zero-unpaired", {"beta": 0.1}, HUBER),
    ("apo-zero-unpaired", {"beta": 0.7, "desirable_weight": 1.3, "undesirable_weight": 0.4, "reference_point": 0.8},
     BOTH),
    ("wpo", {"beta": 0.1, "label_smoothing": 0.0, "clamp_weight": True}, PLAIN),
    ("wpo", {"beta": 0.5, "label_smoothing": 0.1, "clamp_weight": False}, STOPPED),
    ("tdpo1", {"beta": 0.1}, SQUARED), ("tdpo1", {"beta": 0.6}, BOTH),
    ("tdpo2", {"beta": 0.1, "kl_weight": 0.5}, STOPPED), ("tdpo2", {"beta": 0.4, "kl_weight": 1.5}, HUBER),
    ("mpo", {"beta": 0.6, "dpo_weight": 0.25, "bco_weight": 2.0, "nll_weight": 0.0}, HUBER),
]


def configurations():
    yield from BASES
    for base in ["dpo", "simpo", "orpo", "ipo", "hinge", "sft"]:
        options = next(o for n, o in BASES if n == base)
        for alignment in ALIGNMENTS:
            yield "solopo:" + base, {**options, **alignment}
    for i, (name, options, alignment) in enumerate(ALIGNED):
        if (name, options) not in [(n, o) for n, o, _ in ALIGNED[:i]]:
            yield name, options
        yield "solopo:" + name, {**options, **alignment}


def exact_pair(p):
    return {r: {k: mp.mpf(v) for k, v in y.items()} if r in ROLES else mp.mpf(y)
            for r, y in p.items() if r != "about"}


# Options that a case leaves out, where the formulas above read them.
DEFAULTS = {"apo-zero-unpaired": {"desirable_weight": mp.mpf(1), "undesirable_weight": mp.mpf(1),
                                  "reference_point": mp.mpf(0)}}


def exact_options(name, options):
    return {**DEFAULTS.get(name.split(":")[-1], {}),
            **{k: f32(v) if isinstance(v, float) else v for k, v in options.items()}}


def evaluated(name, options, p, field="logp"):
    """Loss and its five derivatives by that field, as doubles."""
    exact, o = exact_pair(p), exact_options(name, options)
    return float(loss(name, exact, o)), [float(x) for x in gradient(name, exact, o, field)]


def write(path, listed, configured, skip=lambda name, p: False):
    cases = []
    for index, p in enumerate(listed):
        for name, options in configured:
            if skip(name, p):
                continue
            value, slopes = evaluated(name, options, p)
            if not all(abs(x) < np.finfo(np.float32).max for x in [value, *slopes]):
                raise ValueError(f"{name} {options}, pair {index}: not a float32 number")
            case = {"objective": name, "options": options, "pair": index, "loss": value, "gradient": slopes}
            if name.endswith(STATISTICAL):
                case["by_statistic"] = evaluated(name, options, p, "statistic")[1]
            cases.append(case)
    versions = {"mpmath": mp.__version__, "numpy": np.__version__}
    with open(path, "w") as out:
        pair_lines, case_lines = (",\n".join(json.dumps(x) for x in rows) for rows in [listed, cases])
        out.write('{"versions": %s,\n"pairs": [\n%s\n],\n"cases": [\n%s\n]}\n'
                  % (json.dumps(versions), pair_lines, case_lines))


if __name__ == "__main__":
    write("tests/golden/objectives.json", list(with_statistics(with_extras(pairs()))), list(configurations()))
