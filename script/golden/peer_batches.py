#!/usr/bin/env python3
"""Writes tests/golden/peer_batches.json: what TRL's own code computes for objectives that couple a batch.

TRL 0.28's DPOTrainer.dpo_loss (aot, aot_unpaired), KTOTrainer.kto_loss and BCOTrainer.bco_loss are called on the batches
of tests/golden/batch_objectives.json, in float64, with log-probabilities as leaves and autograd for the derivatives of
the mean over the batch. BCO's running mean goes through the batches in order; TRL keeps it in float32.

In the environment that peer_objectives.py describes:  peers/bin/python script/golden/peer_batches.py
"""
import json
import os
import sys
import types
from importlib.metadata import version

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
import numpy as np
import torch
from trl.experimental.bco.bco_trainer import BCOTrainer
from trl.experimental.kto.kto_trainer import KTOTrainer
from trl.trainer.utils import RunningMoments
from trl.trainer.dpo_config import FDivergenceType
from trl.trainer.dpo_trainer import DPOTrainer

ROLES = ["chosen", "rejected", "chosen_long", "rejected_long", "third"]
LOCAL = types.SimpleNamespace(device=torch.device("cpu"), use_distributed=False, gather_for_metrics=lambda x: x)


class Batch:
    def __init__(self, records):
        def column(role, field, grad=False):
            return torch.tensor([float(r[role][field]) for r in records], dtype=torch.float64, requires_grad=grad)
        self.leaf = {role: column(role, "logp", True) for role in ROLES}
        self.ref = {role: column(role, "ref_logp") for role in ROLES}
        self.label = torch.tensor([r["label"] > 0 for r in records])


def aot(loss_type):
    def run(batch, o, state):
        trainer = types.SimpleNamespace(
            accelerator=LOCAL, reference_free=False, f_divergence_type=FDivergenceType.REVERSE_KL, beta=o["beta"],
            f_divergence_params=None, label_smoothing=o["label_smoothing"], loss_type=[loss_type], args=None)
        return DPOTrainer.dpo_loss(trainer, batch.leaf["chosen"], batch.leaf["rejected"], batch.ref["chosen"],
                                   batch.ref["rejected"], loss_type)[0]
    return run


def kto(batch, o, state):
    trainer = types.SimpleNamespace(
        accelerator=LOCAL, calculate_KL=True, loss_type="kto", beta=o["beta"],
        desirable_weight=o["desirable_weight"], undesirable_weight=o["undesirable_weight"])
    policy, ref, yes = batch.leaf["chosen"], batch.ref["chosen"], batch.label
    return KTOTrainer.kto_loss(trainer, policy[yes], policy[~yes], batch.leaf["third"], ref[yes], ref[~yes],
                               batch.ref["third"])[0]


def bco(batch, o, state):
    running = state.setdefault("running", RunningMoments(LOCAL))
    trainer = types.SimpleNamespace(beta=o["beta"], running=running, match_underlying_distribution=False)
    policy, ref, yes = batch.leaf["chosen"], batch.ref["chosen"], batch.label
    return BCOTrainer.bco_loss(trainer, policy[yes], policy[~yes], ref[yes], ref[~yes], None, None)[0]


CASES = [
    ("aot", {"beta": 0.1, "label_smoothing": 0.0}, aot("aot"), 1e-6),
    ("aot", {"beta": 0.5, "label_smoothing": 0.2}, aot("aot"), 1e-6),
    ("aot-unpaired", {"beta": 0.1, "label_smoothing": 0.0}, aot("aot_unpaired"), 1e-6),
    ("aot-unpaired", {"beta": 0.5, "label_smoothing": 0.2}, aot("aot_unpaired"), 1e-6),
    ("kto", {"beta": 0.1, "desirable_weight": 1.0, "undesirable_weight": 1.0}, kto, 1e-6),
    ("kto", {"beta": 0.6, "desirable_weight": 1.25, "undesirable_weight": 0.4}, kto, 1e-6),
    ("bco", {"beta": 0.1}, bco, 2e-5),
    ("bco", {"beta": 0.7}, bco, 2e-5),
]


def main():
    with open("tests/golden/batch_objectives.json") as file:
        batches = json.load(file)["batches"]
    cases = []
    for objective, options, losses_of, tolerance in CASES:
        exact = {k: float(np.float32(v)) for k, v in options.items()}
        state, results = {}, []
        for records in batches:
            batch = Batch(records)
            loss = losses_of(batch, exact, state).mean()
            gradient = torch.autograd.grad(loss, [batch.leaf[r] for r in ROLES], allow_unused=True)
            columns = [[0.0] * len(records) if g is None else g.tolist() for g in gradient]
            results.append({"loss": loss.item(), "gradient": [list(row) for row in zip(*columns)]})
        cases.append({"system": "trl " + version("trl"), "objective": objective, "options": options,
                      "tolerance": tolerance, "batches": results})
    versions = {"python": sys.version.split()[0], "torch": torch.__version__, "trl": version("trl")}
    with open("tests/golden/peer_batches.json", "w") as out:
        lines = ",\n".join(json.dumps(c) for c in cases)
        out.write('{"versions": %s,\n"cases": [\n%s\n]}\n' % (json.dumps(versions), lines))


if __name__ == "__main__":
    main()
