"""Losses with mistakes that script/conformance.py must find."""
import math


def softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def sigmoid(x):
    return 0.5 * (1 + math.tanh(x / 2))


def margin(pair):
    w, l = pair["chosen"], pair["rejected"]
    return w["logp"] - w["ref_logp"] - l["logp"] + l["ref_logp"]


def dpo(pair, beta):
    """Right, but for the overflow of a logarithm of an exponential, and without label smoothing."""
    return math.log(1 + math.exp(-beta * margin(pair)))


def simpo(pair, beta, gamma, label_smoothing=0.0):
    """The sign of rejected's derivative is wrong."""
    w, l = pair["chosen"], pair["rejected"]
    z = beta * (w["logp"] / w["length"] - l["logp"] / l["length"]) - gamma
    slope = sigmoid(z) - (1 - label_smoothing)
    return ((1 - label_smoothing) * softplus(-z) + label_smoothing * softplus(z),
            {"chosen": slope * beta / w["length"], "rejected": slope * beta / l["length"]})


def hinge(pair, beta):
    """The sigmoid loss, as one system trains under this name."""
    return softplus(-beta * margin(pair))


def kto(pairs, beta, desirable_weight=1.0, undesirable_weight=1.0):
    """z is left out."""
    total = 0.0
    for p in pairs:
        r = beta * (p["chosen"]["logp"] - p["chosen"]["ref_logp"])
        total += desirable_weight * sigmoid(-r) if p["label"] else undesirable_weight * sigmoid(r)
    return total / len(pairs)


def aot(pairs, beta, label_smoothing):
    """Right, and without derivatives."""
    policy = sorted(p["chosen"]["logp"] - p["rejected"]["logp"] for p in pairs)
    reference = sorted(p["chosen"]["ref_logp"] - p["rejected"]["ref_logp"] for p in pairs)
    total = sum((1 - label_smoothing) * softplus(-beta * (a - b)) + label_smoothing * softplus(beta * (a - b))
                for a, b in zip(policy, reference))
    return total / len(pairs)
