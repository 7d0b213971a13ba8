"""Losses in plain Python as script/conformance.py wants them: an example of a module for your own trainer.

    python3 script/conformance.py --module examples/conformance_adapter.py

Put your trainer's functions where the formulas stand. dpo returns its loss alone, and the derivatives are taken by
differences; simpo and orpo return theirs.
"""
import math


def softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def log_ratio(response):
    return response["logp"] - response["ref_logp"]


def mean_logp(response):
    return response["logp"] / response["length"]


def smoothed(z, label_smoothing):
    """-(1 - e) ln sigmoid(z) - e ln sigmoid(-z), and its derivative by z."""
    loss = (1 - label_smoothing) * softplus(-z) + label_smoothing * softplus(z)
    return loss, -(1 - label_smoothing) * sigmoid(-z) + label_smoothing * sigmoid(z)


def dpo(pair, beta, label_smoothing=0.0):
    return smoothed(beta * (log_ratio(pair["chosen"]) - log_ratio(pair["rejected"])), label_smoothing)[0]


def simpo(pair, beta, gamma, label_smoothing=0.0):
    chosen, rejected = pair["chosen"], pair["rejected"]
    loss, slope = smoothed(beta * (mean_logp(chosen) - mean_logp(rejected)) - gamma, label_smoothing)
    return loss, {"chosen": slope * beta / chosen["length"], "rejected": -slope * beta / rejected["length"]}


def log_odds(response):
    """ln(p / (1 - p)) of p = e^m, and its derivative by logp. m stops at -1e-6, where the odds would grow for ever."""
    m, clamp = mean_logp(response), -9.999999974752427e-07
    clamped = m > clamp
    m = min(m, clamp)
    log_rest = math.log(-math.expm1(m)) if m > -math.log(2) else math.log1p(-math.exp(m))
    return m - log_rest, 0.0 if clamped else -1 / (math.expm1(m) * response["length"])


def orpo(pair, nll="per_response", **options):
    chosen, rejected, weight = pair["chosen"], pair["rejected"], options["lambda"]  # lambda is a word of Python's
    tokens = {"per_response": chosen["length"], "sum": 1, "batch_tokens": pair["mean_length"]}[nll]
    (better, better_slope), (worse, worse_slope) = log_odds(chosen), log_odds(rejected)
    slope = -weight * sigmoid(worse - better)
    return (-chosen["logp"] / tokens + weight * softplus(worse - better),
            {"chosen": -1 / tokens + slope * better_slope, "rejected": -slope * worse_slope})
