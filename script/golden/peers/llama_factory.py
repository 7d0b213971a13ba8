#!/usr/bin/env python3
"""Writes tests/golden/peers/llamafactory-0.9.5.json: what LLaMA-Factory gives, on the newest TRL it allows (0.24).

CustomDPOTrainer.compute_preference_loss takes log-probabilities (averages for ipo, orpo and simpo, as its own
concatenated_forward makes them); what reads tokens goes through get_batch_loss_metrics with a stand-in model.
torchaudio, which its data module imports for sound files, is left out. Run by script/golden/all.
"""
import importlib.machinery
import sys
import types
import warnings

sys.modules["torchaudio"] = types.ModuleType("torchaudio")
sys.modules["torchaudio"].__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
warnings.simplefilter("ignore")

import record
import stand_in
import torch
from llamafactory.train.dpo.trainer import CustomDPOTrainer
from llamafactory.train.kto.trainer import CustomKTOTrainer
from record import USUAL
from trl.trainer import RunningMoments

out = record.Record("llamafactory", ["torch", "llamafactory", "trl", "transformers"], __doc__.splitlines()[0])
NLL = {"nll": "per_response"}
NO_SMOOTHING = {"label_smoothing": 0.0}


def trainer_for(pref_loss, o, ftx=0.0, bco=0.0, running=None, reference=None):
    reference_free = pref_loss in ("orpo", "simpo")
    made = stand_in.trainer(
        finetuning_args=types.SimpleNamespace(use_ref_model=not reference_free), f_divergence_type="reverse_kl",
        reference_free=False, loss_type=pref_loss, beta=o.get("beta", o.get("lambda")), ftx_gamma=ftx, bco_gemma=bco,
        label_smoothing=o.get("label_smoothing", 0.0), simpo_gamma=o.get("gamma", 0.0), ld_alpha=o.get("ld_alpha"),
        running=running)
    for name in ["odds_ratio_loss", "simpo_loss", "bco_loss", "compute_preference_loss", "dpo_loss",
                 "concatenated_forward"]:
        setattr(made, name, types.MethodType(getattr(CustomDPOTrainer, name), made))
    made.compute_reference_log_probs = lambda model, batch: reference
    return made


def preference(pref_loss, bco=0.0, running=lambda: None):
    def run(batch, o):
        mean = pref_loss in ("ipo", "orpo", "simpo")
        policy, ref = (batch.mean, batch.ref_mean) if mean else (batch.leaf, batch.ref)
        trainer = trainer_for(pref_loss, o, bco=bco, running=running())
        return trainer.compute_preference_loss(policy["chosen"], policy["rejected"], ref["chosen"], ref["rejected"])[0]
    return run


def losses_of_logits(o, pref_loss, ftx, policy, reference, mask):
    """get_batch_loss_metrics: float32 inside. The reference's sums are given."""
    trainer = trainer_for(pref_loss, o, ftx=ftx, reference=reference)
    labels = torch.full_like(mask, stand_in.TOKEN).masked_fill(mask == 0, -100)
    inputs = {"input_ids": torch.full_like(mask, stand_in.TOKEN), "attention_mask": torch.ones_like(mask), "labels": labels}
    return CustomDPOTrainer.get_batch_loss_metrics(trainer, stand_in.LogitModel(policy, mask), inputs)[0]


def pairs():
    call = "CustomDPOTrainer.compute_preference_loss, pref_loss "
    out.pair("dpo", {"beta": 0.1} | NO_SMOOTHING, call + "sigmoid", preference("sigmoid"))
    out.pair("dpo", {"beta": 0.3, "label_smoothing": 0.2}, call + "sigmoid", preference("sigmoid"))
    out.pair("simpo", {"beta": 2.0, "gamma": 0.5} | NO_SMOOTHING, call + "simpo", preference("simpo"))
    near_one = "log1p(-e^m) near probability 1: a log-odds of the unclamped value, or not finite"
    out.pair("orpo", {"lambda": 0.1} | NLL, call + "orpo", preference("orpo"), deviates=near_one)

    # The loss's name never reaches TRL's dpo_loss: what runs is the sigmoid loss, on averages where ipo was asked for.
    sigmoid = "trains the sigmoid loss: TRL's dpo_loss takes the loss's name as an argument since 0.20, none is passed"
    out.pair("hinge", {"beta": 0.1}, call + "hinge", preference("hinge"), deviates=sigmoid)
    out.pair("dpo", {"beta": 0.1} | NO_SMOOTHING, call + "hinge", preference("hinge"))
    out.pair("ipo", {"beta": 0.1, "normalise": "mean"}, call + "ipo", preference("ipo"), deviates=sigmoid)
    out.pair("sigmoid-norm", {"beta": 0.1} | NO_SMOOTHING, call + "ipo", preference("ipo"))

    mixed = {"beta": 0.1, "dpo_weight": 0.8, "bco_weight": 0.2, "nll_weight": 0.0} | NLL
    out.pair("mpo", mixed, call + "sigmoid, pref_bco_weight 0.25, running mean held at 0",
             preference("sigmoid", 0.25, lambda: types.SimpleNamespace(update=lambda rewards: None, mean=0.0)))
    out.pair("mpo", mixed, call + "sigmoid, pref_bco_weight 0.25",
             preference("sigmoid", 0.25, lambda: RunningMoments(stand_in.ACCELERATOR)), inputs=(USUAL,),
             deviates="BCO's delta is a running mean of the batches' mean rewards, here 0")


def batches():
    def with_ftx(batch, o, state):
        policy, mask = stand_in.laid_out(batch, ["chosen", "rejected"], batch.leaf)
        reference = (batch.ref["chosen"], batch.ref["rejected"])
        return losses_of_logits(o, "sigmoid", o["nll_weight"], policy, reference, mask)

    def kto(batch, o, state):
        trainer = stand_in.trainer(calculate_KL=True, loss_type="kto", beta=o["beta"],
                                   desirable_weight=o["desirable_weight"], undesirable_weight=o["undesirable_weight"])
        policy, ref, yes = batch.leaf["chosen"], batch.ref["chosen"], batch.label
        return CustomKTOTrainer.kto_loss(trainer, policy[yes], policy[~yes], batch.leaf["third"], ref[yes], ref[~yes],
                                         batch.ref["third"])[0].nanmean()

    out.batch("rpo", {"beta": 0.1, "nll_weight": 0.5} | NO_SMOOTHING | NLL,
              "CustomDPOTrainer.get_batch_loss_metrics, pref_loss sigmoid, pref_ftx 0.5", with_ftx, tolerance=2e-5)
    for options in [{"beta": 0.1, "desirable_weight": 1.0, "undesirable_weight": 1.0},
                    {"beta": 0.6, "desirable_weight": 1.25, "undesirable_weight": 0.4}]:
        out.batch("kto", options, "CustomKTOTrainer.kto_loss", kto)


def tokens():
    def run(leaf, entry, o):
        policy, mask, _ = stand_in.laid_out_tokens(entry, leaf, prompt=3)
        reference = [torch.tensor([entry[role]["ref_head_logp"] + entry[role]["ref_tail_logp"]])
                     for role in ("chosen", "rejected")]
        return losses_of_logits(o, "sigmoid", 0.0, policy, reference, mask)
    for ld_alpha in [0.5, 0.0]:
        out.token("ld-dpo", {"beta": 0.1, "ld_alpha": ld_alpha, "desensitise": "policy"},
                  "CustomDPOTrainer.get_batch_loss_metrics, pref_loss sigmoid, ld_alpha, a prompt of 3 tokens", run,
                  tolerance=2e-5)


if __name__ == "__main__":
    pairs()
    batches()
    tokens()
    out.write()
