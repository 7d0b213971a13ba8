#!/usr/bin/env python3
"""Writes tests/golden/peer_objectives.json: losses and gradients that other systems compute with their own code.

TRL 0.28 (DPOTrainer.dpo_loss and the loss functions of its CPO and ORPO trainers) and Liger-Kernel (the preference
losses of its fused heads) are called on the pairs of tests/golden/objectives.json, in float64 where they allow it,
with log-probabilities as leaves and autograd for the derivatives. A case names the system and its version. Where a
system gives no finite number the case says so under "deviation", and the test asks for a difference, not equality.

In an environment of its own, from the repository root:
  python3 -m venv peers && peers/bin/pip install trl==0.28.0 "transformers<5" "datasets<4.5" liger-kernel && \
  peers/bin/python script/golden/peer_objectives.py
"""
import json
import os
import sys
import types
from importlib.metadata import version

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
import numpy as np
import torch
from liger_kernel.chunked_loss.cpo_loss import LigerFusedLinearCPOFunction as LigerCPO
from liger_kernel.chunked_loss.dpo_loss import LigerFusedLinearDPOFunction as LigerDPO
from liger_kernel.chunked_loss.orpo_loss import LigerFusedLinearORPOFunction as LigerORPO
from liger_kernel.chunked_loss.simpo_loss import LigerFusedLinearSimPOFunction as LigerSimPO
from trl.experimental.cpo.cpo_trainer import CPOTrainer
from trl.experimental.orpo.orpo_trainer import ORPOTrainer
from trl.trainer.dpo_config import FDivergenceType
from trl.trainer.dpo_trainer import DPOTrainer

TRL, LIGER = "trl " + version("trl"), "liger-kernel " + version("liger-kernel")
CPU = types.SimpleNamespace(device=torch.device("cpu"))


def f32(x):
    return float(np.float32(x))


class Pair:
    """Leaves and what the systems' data pipelines derive from them."""

    def __init__(self, record):
        self.leaf = {r: torch.tensor([float(record[r]["logp"])], dtype=torch.float64, requires_grad=True)
                     for r in ("chosen", "rejected")}
        self.ref = {r: torch.tensor([float(record[r]["ref_logp"])], dtype=torch.float64) for r in self.leaf}
        self.length = {r: float(record[r]["length"]) for r in self.leaf}
        self.mean = {r: self.leaf[r] / self.length[r] for r in self.leaf}
        self.ref_mean = {r: self.ref[r] / self.length[r] for r in self.leaf}

    def nll(self):
        return -self.mean["chosen"]


def trl_dpo(pair, o, loss_type, mean=False, divergence=FDivergenceType.REVERSE_KL, params=None, delta=0.0):
    running = types.SimpleNamespace(update=lambda rewards: None, mean=delta)
    trainer = types.SimpleNamespace(
        accelerator=CPU, reference_free=False, f_divergence_type=divergence, f_divergence_params=params, beta=o["beta"],
        label_smoothing=o.get("label_smoothing", 0.0), running=running, loss_type=[loss_type],
        args=types.SimpleNamespace(discopop_tau=o.get("tau", 0.05)))
    policy, reference = (pair.mean, pair.ref_mean) if mean else (pair.leaf, pair.ref)
    return DPOTrainer.dpo_loss(trainer, policy["chosen"], policy["rejected"], reference["chosen"],
                               reference["rejected"], loss_type)[0]


def trl_cpo(pair, o, loss_type, mean, alpha=0.0):
    trainer = types.SimpleNamespace(accelerator=CPU, alpha=alpha, beta=o["beta"], simpo_gamma=o.get("gamma", 0.0),
                                    label_smoothing=o.get("label_smoothing", 0.0), loss_type=loss_type)
    logps = pair.mean if mean else pair.leaf
    return CPOTrainer.cpo_loss(trainer, logps["chosen"], logps["rejected"])[0]


def trl_orpo(pair, o):
    trainer = types.SimpleNamespace(accelerator=CPU, beta=o["lambda"])
    return pair.nll() - ORPOTrainer.odds_ratio_loss(trainer, pair.mean["chosen"], pair.mean["rejected"])[0]


TARGET = torch.zeros(2, 1, dtype=torch.long)


def liger_dpo(pair, o, loss_type):
    return LigerDPO.preference_loss_fn(pair.leaf["chosen"], pair.leaf["rejected"], TARGET, pair.ref["chosen"],
                                       pair.ref["rejected"], beta=o["beta"], loss_type=loss_type)[0]


def liger_simpo(pair, o):
    return LigerSimPO.preference_loss_fn(pair.mean["chosen"], pair.mean["rejected"], TARGET, beta=o["beta"],
                                         gamma=o["gamma"], label_smoothing=o["label_smoothing"])[0]


def liger_cpo(pair, o):
    loss = LigerCPO.preference_loss_fn(pair.leaf["chosen"], pair.leaf["rejected"], TARGET, beta=o["beta"],
                                       label_smoothing=o["label_smoothing"])[0]
    return loss + o["nll_weight"] * pair.nll()


def liger_orpo(pair, o):
    return pair.nll() + LigerORPO.preference_loss_fn(pair.mean["chosen"], pair.mean["rejected"], TARGET, beta=o["lambda"])[0]


JS, ALPHA = FDivergenceType.JS_DIVERGENCE, FDivergenceType.ALPHA_DIVERGENCE
DEFAULT = {"beta": 0.1}
SMOOTH = {"beta": 0.3, "label_smoothing": 0.2}
# System, objective, options, its loss. Systems take the mean over the batch, which is one pair here.
CASES = [
    (TRL, "dpo", DEFAULT, lambda p, o: trl_dpo(p, o, "sigmoid")),
    (TRL, "dpo", SMOOTH, lambda p, o: trl_dpo(p, o, "sigmoid")),
    (TRL, "robust", SMOOTH, lambda p, o: trl_dpo(p, o, "robust")),
    (TRL, "hinge", DEFAULT, lambda p, o: trl_dpo(p, o, "hinge")),
    (TRL, "ipo", DEFAULT, lambda p, o: trl_dpo(p, o, "ipo", mean=True)),
    (TRL, "ipo", {"beta": 0.1, "normalise": "sum"}, lambda p, o: trl_dpo(p, o, "ipo")),
    (TRL, "exo-pair", SMOOTH, lambda p, o: trl_dpo(p, o, "exo_pair")),
    (TRL, "exo-pair", {"beta": 0.1, "label_smoothing": 1e-3}, lambda p, o: trl_dpo(p, o, "exo_pair")),
    (TRL, "nca-pair", DEFAULT, lambda p, o: trl_dpo(p, o, "nca_pair")),
    (TRL, "sppo-hard", DEFAULT, lambda p, o: trl_dpo(p, o, "sppo_hard")),
    (TRL, "bco-pair", {"beta": 0.1, "delta": 0.0}, lambda p, o: trl_dpo(p, o, "bco_pair")),
    (TRL, "bco-pair", {"beta": 0.1, "delta": 0.3}, lambda p, o: trl_dpo(p, o, "bco_pair", delta=o["delta"])),
    (TRL, "apo-zero", DEFAULT, lambda p, o: trl_dpo(p, o, "apo_zero")),
    (TRL, "apo-down", DEFAULT, lambda p, o: trl_dpo(p, o, "apo_down")),
    (TRL, "discopop", {"beta": 0.05, "tau": 0.05}, lambda p, o: trl_dpo(p, o, "discopop")),
    (TRL, "f-dpo", {"beta": 0.1, "divergence": "js"}, lambda p, o: trl_dpo(p, o, "sigmoid", divergence=JS)),
    # Their coefficient is 1 - a; they cap the exponent at its dtype's largest, the library at 30.
    (TRL, "f-dpo", {"beta": 0.1, "divergence": "alpha", "divergence_alpha": 0.5},
     lambda p, o: trl_dpo(p, o, "sigmoid", divergence=ALPHA, params={"alpha_divergence_coef": 1 - o["divergence_alpha"]})),
    (TRL, "cpo", {"beta": 0.1, "nll_weight": 0.0, "label_smoothing": 0.1}, lambda p, o: trl_cpo(p, o, "sigmoid", False)),
    (TRL, "cpo", {"beta": 0.1, "nll_weight": 1.0}, lambda p, o: trl_cpo(p, o, "sigmoid", False) + p.nll()),
    (TRL, "simpo", {"beta": 2.0, "gamma": 0.5}, lambda p, o: trl_cpo(p, o, "simpo", True)),
    (TRL, "simpo", {"beta": 2.5, "gamma": 0.75, "label_smoothing": 0.1}, lambda p, o: trl_cpo(p, o, "simpo", True)),
    (TRL, "cpo-simpo", {"beta": 2.0, "gamma": 0.5, "nll_weight": 1.0},
     lambda p, o: trl_cpo(p, o, "simpo", True) + p.nll()),
    (TRL, "alphapo", {"beta": 2.5, "gamma": 0.5, "reward_alpha": 0.25},
     lambda p, o: trl_cpo(p, o, "simpo", True, alpha=o["reward_alpha"])),
    (TRL, "orpo", {"lambda": 0.1}, trl_orpo),
    (LIGER, "dpo", DEFAULT, lambda p, o: liger_dpo(p, o, "sigmoid")),
    (LIGER, "nca-pair", DEFAULT, lambda p, o: liger_dpo(p, o, "nca_pair")),
    (LIGER, "sppo-hard", DEFAULT, lambda p, o: liger_dpo(p, o, "sppo_hard")),
    (LIGER, "apo-zero", DEFAULT, lambda p, o: liger_dpo(p, o, "apo_zero")),
    (LIGER, "apo-down", DEFAULT, lambda p, o: liger_dpo(p, o, "apo_down")),
    (LIGER, "bco-pair", {"beta": 0.1, "delta": 0.0}, lambda p, o: liger_dpo(p, o, "bco_pair")),
    (LIGER, "simpo", {"beta": 2.0, "gamma": 0.5, "label_smoothing": 0.0}, liger_simpo),
    (LIGER, "cpo", {"beta": 0.1, "nll_weight": 1.0, "label_smoothing": 0.0}, liger_cpo),
    (LIGER, "orpo", {"lambda": 0.1}, liger_orpo),
]


def number(x):
    return x if np.isfinite(x) else None  # null: the system gave no number


def main():
    with open("tests/golden/objectives.json") as file:
        records = json.load(file)["pairs"]
    cases = []
    for system, objective, options, loss_of in CASES:
        exact = {k: f32(v) if isinstance(v, float) else v for k, v in options.items()}
        for index, record in enumerate(records):
            pair = Pair(record)
            raw = loss_of(pair, exact)
            tolerance = 2e-5 if raw.dtype == torch.float32 or objective == "orpo" and system == TRL else 1e-6
            loss = raw.double().sum()
            gradient = torch.autograd.grad(loss, list(pair.leaf.values()))
            case = {"system": system, "objective": objective, "options": options, "pair": index,
                    "tolerance": tolerance, "loss": number(loss.item()),
                    "gradient": [number(g.item()) for g in gradient]}
            if None in [case["loss"], *case["gradient"]]:
                case["deviation"] = objective + ": no finite number far from the reference"
            cases.append(case)
    versions = {"python": sys.version.split()[0], "torch": torch.__version__, "trl": version("trl"),
                "liger-kernel": version("liger-kernel")}
    with open("tests/golden/peer_objectives.json", "w") as out:
        lines = ",\n".join(json.dumps(c) for c in cases)
        out.write('{"versions": %s,\n"cases": [\n%s\n]}\n' % (json.dumps(versions), lines))


if __name__ == "__main__":
    main()
