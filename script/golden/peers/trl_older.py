#!/usr/bin/env python3
"""Writes tests/golden/peers/trl-0.28.0.json: what TRL before its rewrite at 0.29 gives.

DPOTrainer.dpo_loss and the loss functions of trl.experimental's CPO, ORPO, KTO and BCO take log-probabilities; what
reads tokens (sft, ld_alpha, use_weighting) goes through DPOTrainer.get_batch_loss_metrics with a stand-in model.
Run by script/golden/all.
"""
import os

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
import types

import record
import stand_in
import torch
from record import EXTREME, USUAL
from trl.experimental.bco.bco_trainer import BCOTrainer
from trl.experimental.cpo.cpo_trainer import CPOTrainer
from trl.experimental.kto.kto_trainer import KTOTrainer
from trl.experimental.orpo.orpo_trainer import ORPOTrainer
from trl.trainer.dpo_config import FDivergenceType
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.utils import RunningMoments

out = record.Record("trl", ["torch", "trl", "transformers"], __doc__.splitlines()[0])
DEFAULT = {"beta": 0.1}
SMOOTH = {"beta": 0.3, "label_smoothing": 0.2}


def dpo_trainer(o, loss_types, divergence=FDivergenceType.REVERSE_KL, params=None, delta=0.0, **args):
    running = types.SimpleNamespace(update=lambda rewards: None, mean=delta)
    return stand_in.trainer(
        reference_free=False, f_divergence_type=divergence, f_divergence_params=params, beta=o["beta"],
        label_smoothing=o.get("label_smoothing", 0.0), running=running, loss_type=loss_types, loss_weights=None,
        use_weighting="clamp_weight" in o, pad_token_id=0, max_length=None, use_logits_to_keep=False, padding_free=False,
        args=types.SimpleNamespace(**{"discopop_tau": o.get("tau", 0.05), "rpo_alpha": None, "use_liger_kernel": False,
                                      "ld_alpha": o.get("ld_alpha"), **args}))


def dpo(loss_type, mean=False, divergence=FDivergenceType.REVERSE_KL, params=lambda o: None):
    def run(batch, o, state=None):
        trainer = dpo_trainer(o, [loss_type], divergence, params(o), o.get("delta", 0.0))
        policy, reference = (batch.mean, batch.ref_mean) if mean else (batch.leaf, batch.ref)
        return DPOTrainer.dpo_loss(trainer, policy["chosen"], policy["rejected"], reference["chosen"],
                                   reference["rejected"], loss_type)[0].mean()
    return run


def from_tokens(loss_types, weights=None):
    """DPOTrainer.get_batch_loss_metrics on a model's logits."""
    def run(o, values, mask, reference, prompt, **args):
        trainer = dpo_trainer(o, loss_types, **args)
        trainer.loss_weights = weights
        for name in ["concatenated_forward", "dpo_loss"]:
            setattr(trainer, name, types.MethodType(getattr(DPOTrainer, name), trainer))
        trainer.concatenated_inputs = DPOTrainer.concatenated_inputs
        half = len(mask) // 2
        ids, answer = torch.full_like(mask, stand_in.TOKEN), mask[:, prompt:]
        fields = {"prompt_input_ids": ids[:half, :prompt], "prompt_attention_mask": torch.ones_like(ids[:half, :prompt]),
                  "ref_chosen_logps": reference[:half], "ref_rejected_logps": reference[half:]}
        for role, rows in [("chosen", slice(0, half)), ("rejected", slice(half, None))]:
            fields |= {f"{role}_input_ids": ids[rows, prompt:] * answer[rows], f"{role}_attention_mask": answer[rows]}
        losses, _ = DPOTrainer.get_batch_loss_metrics(trainer, stand_in.LogitModel(values, mask), fields)
        return losses.mean()
    return run


def preference():
    call = "DPOTrainer.dpo_loss, loss_type "
    js, alpha = FDivergenceType.JS_DIVERGENCE, FDivergenceType.ALPHA_DIVERGENCE
    for objective, options, loss_type in [
            ("dpo", DEFAULT | {"label_smoothing": 0.0}, "sigmoid"), ("dpo", SMOOTH, "sigmoid"),
            ("robust", SMOOTH, "robust"), ("hinge", DEFAULT, "hinge"), ("exo-pair", SMOOTH, "exo_pair"),
            ("exo-pair", {"beta": 0.1, "label_smoothing": 1e-3}, "exo_pair"), ("nca-pair", DEFAULT, "nca_pair"),
            ("sppo-hard", DEFAULT, "sppo_hard"), ("apo-zero", DEFAULT, "apo_zero"), ("apo-down", DEFAULT, "apo_down"),
            ("ipo", {"beta": 0.1, "normalise": "sum"}, "ipo")]:
        out.pair(objective, options, call + loss_type, dpo(loss_type))
    out.pair("ipo", {"beta": 0.1, "normalise": "mean"}, call + "ipo, on averages as concatenated_forward gives them",
             dpo("ipo", mean=True))
    for delta in [0.0, 0.3]:
        out.pair("bco-pair", {"beta": 0.1, "delta": delta}, call + "bco_pair, running mean given", dpo("bco_pair"))
    out.pair("discopop", {"beta": 0.05, "tau": 0.05}, call + "discopop", dpo("discopop"))
    out.pair("f-dpo", {"beta": 0.1, "label_smoothing": 0.0, "divergence": "js"}, call + "sigmoid, JS_DIVERGENCE",
             dpo("sigmoid", divergence=js))
    out.pair("f-dpo", {"beta": 0.1, "label_smoothing": 0.0, "divergence": "alpha", "divergence_alpha": 0.5},
             call + "sigmoid, ALPHA_DIVERGENCE with coefficient 1 - a",
             dpo("sigmoid", divergence=alpha, params=lambda o: {"alpha_divergence_coef": 1 - o["divergence_alpha"]}),
             deviates="the exponent is cut near the dtype's largest, ours goes on as its tangent from 30")


def without_reference():
    def cpo(loss_type, mean, nll=False):
        def run(batch, o):
            trainer = stand_in.trainer(alpha=o.get("reward_alpha", 0.0), beta=o["beta"], loss_type=loss_type,
                                       simpo_gamma=o.get("gamma", 0.0), label_smoothing=o.get("label_smoothing", 0.0))
            logps = batch.mean if mean else batch.leaf
            return CPOTrainer.cpo_loss(trainer, logps["chosen"], logps["rejected"])[0]
        return run

    def orpo(batch, o):
        trainer = stand_in.trainer(beta=o["lambda"])
        ratio = ORPOTrainer.odds_ratio_loss(trainer, batch.mean["chosen"], batch.mean["rejected"])[0]
        return -batch.mean["chosen"] - ratio

    call = "trl.experimental CPOTrainer.cpo_loss, loss_type "
    out.pair("cpo", {"beta": 0.1, "nll_weight": 0.0, "label_smoothing": 0.1}, call + "sigmoid", cpo("sigmoid", False))
    out.pair("simpo", {"beta": 2.0, "gamma": 0.5, "label_smoothing": 0.0}, call + "simpo", cpo("simpo", True))
    out.pair("simpo", {"beta": 2.5, "gamma": 0.75, "label_smoothing": 0.1}, call + "simpo", cpo("simpo", True))
    out.pair("alphapo", {"beta": 2.5, "gamma": 0.5, "reward_alpha": 0.25}, call + "simpo, alpha 0.25", cpo("simpo", True),
             deviates="p^-a is not bounded: p underflows to 0, ours goes on as its tangent")
    out.pair("orpo", {"lambda": 0.1, "nll": "per_response"},
             "trl.experimental ORPOTrainer.odds_ratio_loss, float32, with the mean NLL of the response", orpo,
             tolerance=2e-5, deviates="no clamp near probability 1: a log-odds of the unclamped value, or not finite")


def coupled():
    def labelled(owner, method, make):
        def run(batch, o, state):
            policy, ref, yes = batch.leaf["chosen"], batch.ref["chosen"], batch.label
            return getattr(owner, method)(*make(batch, o, state, policy, ref, yes))[0].mean()
        return run

    def kto(batch, o, state, policy, ref, yes):
        trainer = stand_in.trainer(calculate_KL=True, loss_type="kto", beta=o["beta"],
                                   desirable_weight=o["desirable_weight"], undesirable_weight=o["undesirable_weight"])
        return (trainer, policy[yes], policy[~yes], batch.leaf["third"], ref[yes], ref[~yes], batch.ref["third"])

    def bco(batch, o, state, policy, ref, yes):
        running = state.setdefault("running", RunningMoments(stand_in.ACCELERATOR))
        trainer = stand_in.trainer(beta=o["beta"], running=running, match_underlying_distribution=False)
        return (trainer, policy[yes], policy[~yes], ref[yes], ref[~yes], None, None)

    for name in ["aot", "aot_unpaired"]:
        for options in [{"beta": 0.1, "label_smoothing": 0.0}, {"beta": 0.5, "label_smoothing": 0.2}]:
            out.batch(name.replace("_", "-"), options, f"DPOTrainer.dpo_loss, loss_type {name}", dpo(name))
    for options in [{"beta": 0.1, "desirable_weight": 1.0, "undesirable_weight": 1.0},
                    {"beta": 0.6, "desirable_weight": 1.25, "undesirable_weight": 0.4}]:
        out.batch("kto", options, "trl.experimental KTOTrainer.kto_loss", labelled(KTOTrainer, "kto_loss", kto))
    for beta in [0.1, 0.7]:  # its running mean is float32
        out.batch("bco", {"beta": beta}, "trl.experimental BCOTrainer.bco_loss", labelled(BCOTrainer, "bco_loss", bco),
                  tolerance=2e-5)

    def mixture(losses, weights):
        def run(batch, o, state):
            values, mask = stand_in.laid_out(batch, ["chosen", "rejected"], batch.leaf)
            reference = torch.cat([batch.ref["chosen"], batch.ref["rejected"]])
            return from_tokens(losses, weights)(o, values, mask, reference, stand_in.PROMPT)
        return run
    out.batch("rpo", {"beta": 0.1, "nll_weight": 0.5, "label_smoothing": 0.0, "nll": "batch_tokens"},
              "DPOTrainer.get_batch_loss_metrics, loss_type [sigmoid, sft], loss_weights [1.0, 0.5]",
              mixture(["sigmoid", "sft"], [1.0, 0.5]))
    out.batch("mpo", {"beta": 0.1, "dpo_weight": 0.8, "bco_weight": 0.2, "nll_weight": 1.0, "nll": "batch_tokens"},
              "DPOTrainer.get_batch_loss_metrics, loss_type [sigmoid, bco_pair, sft], running mean 0",
              mixture(["sigmoid", "bco_pair", "sft"], [0.8, 0.2, 1.0]))


def tokens():
    def run(prompt):
        def loss(leaf, entry, o):
            values, mask, _ = stand_in.laid_out_tokens(entry, leaf, prompt=prompt)
            reference = torch.tensor([entry[role]["ref_head_logp"] + entry[role]["ref_tail_logp"]
                                      for role in ("chosen", "rejected")], dtype=torch.float64)
            return from_tokens(["sigmoid"])(o, values, mask, reference, prompt)
        return loss

    for ld_alpha in [0.5, 0.0]:
        out.token("ld-dpo", {"beta": 0.1, "ld_alpha": ld_alpha, "desensitise": "policy"},
                  "DPOTrainer.get_batch_loss_metrics, loss_type sigmoid, ld_alpha, a prompt of 3 tokens", run(3),
                  deviates="positions are counted from the prompt's start: behind a prompt of P tokens the last P of an "
                           "answer count nothing, and the last P of the shared length count as tail")
    out.token("wpo", {"beta": 0.1, "clamp_weight": True}, "DPOTrainer.get_batch_loss_metrics, loss_type sigmoid, use_weighting",
              run(1), deviates="log-probabilities are one position behind their mask there: the weight leaves out the last "
                               "token of each answer")


if __name__ == "__main__":
    preference()
    without_reference()
    coupled()
    tokens()
    out.write()
