#!/usr/bin/env python3
"""Writes tests/golden/peers/trl-1.16.0.json: what TRL of today gives.

Its losses are written inside the trainers' `_compute_loss`, which asks a model for token log-probabilities or logits:
stand_in.py gives it those. Everything behind that is TRL's code. Run by script/golden/all.
"""
import os

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
import types

import record
import stand_in
import torch
from record import EXTREME, USUAL
from trl import DPOTrainer, KTOTrainer
from trl.experimental.cpo.cpo_trainer import CPOTrainer
from trl.experimental.orpo.orpo_trainer import ORPOTrainer
from trl.experimental.tpo.tpo_trainer import TPOTrainer

out = record.Record("trl", ["torch", "trl", "transformers"], __doc__.splitlines()[0])
DEFAULT = {"beta": 0.1}
SMALL, LARGE = {"beta": 1e-6}, {"beta": 100.0}
PAIR = ["chosen", "rejected"]


def dpo_trainer(reference, o, losses=("sigmoid",), weights=None, divergence="reverse_kl", ld_alpha=None,
                use_weighting=False):
    return stand_in.trainer(
        beta=o["beta"], label_smoothing=o.get("label_smoothing", 0.0), loss_types=losses,
        loss_weights=weights or [1.0] * len(losses), ld_alpha=ld_alpha, use_weighting=use_weighting,
        f_divergence_type=divergence, f_alpha_divergence_coef=o.get("divergence_alpha", 0.5),
        precompute_ref_logps=False, ref_model=stand_in.LogProbModel(reference),
        args=types.SimpleNamespace(discopop_tau=o.get("tau", 0.05), gradient_checkpointing_kwargs=None))


def dpo(losses, weights=None, divergence="reverse_kl"):
    """DPOTrainer._compute_loss with these loss types."""
    def run(batch, o, state=None):
        policy, mask = stand_in.laid_out(batch, PAIR, batch.leaf)
        reference, _ = stand_in.laid_out(batch, PAIR, batch.ref)
        trainer = dpo_trainer(reference, o, losses, weights, divergence)
        return DPOTrainer._compute_loss(trainer, stand_in.LogProbModel(policy), stand_in.inputs_of(mask), False)
    return run


def dpo_lines(objective, loss_type, options, deviates={}):
    call = f"DPOTrainer._compute_loss, loss_type {loss_type}"
    out.pair(objective, options, call, dpo([loss_type]), deviates=deviates.get("usual", {}))
    for name, beta in [("small", SMALL), ("large", LARGE)]:
        out.pair(objective, {**options, **beta}, call, dpo([loss_type]), inputs=(EXTREME,), deviates=deviates.get(name, {}))


OVERFLOW = "e^-z is computed by itself and overflows: no finite number"
SMOOTHING = "label_smoothing is ignored by sigmoid since 0.29"
DELTA = "no delta since 0.29: 0 whatever the batches' rewards are"
UNBOUNDED = "e^-r is not bounded, ours goes on as its tangent"


def preference():
    dpo_lines("dpo", "sigmoid", DEFAULT | {"label_smoothing": 0.0})
    out.pair("dpo", {"beta": 0.3, "label_smoothing": 0.2}, "DPOTrainer._compute_loss, loss_type sigmoid",
             dpo(["sigmoid"]), inputs=(USUAL,), deviates=SMOOTHING)
    dpo_lines("robust", "robust", {"beta": 0.3, "label_smoothing": 0.2})
    dpo_lines("hinge", "hinge", DEFAULT)
    dpo_lines("ipo", "ipo", DEFAULT | {"normalise": "mean"})
    dpo_lines("exo-pair", "exo_pair", {"beta": 0.3, "label_smoothing": 0.2})
    dpo_lines("exo-pair", "exo_pair", {"beta": 0.1, "label_smoothing": 1e-3})
    dpo_lines("nca-pair", "nca_pair", DEFAULT)
    dpo_lines("bco-pair", "bco_pair", DEFAULT | {"delta": 0.0})
    out.pair("bco-pair", {"beta": 0.1, "delta": 0.3}, "DPOTrainer._compute_loss, loss_type bco_pair",
             dpo(["bco_pair"]), inputs=(USUAL,), deviates=DELTA)
    dpo_lines("sppo-hard", "sppo_hard", DEFAULT)
    dpo_lines("apo-zero", "apo_zero", DEFAULT)
    dpo_lines("apo-down", "apo_down", DEFAULT)
    dpo_lines("discopop", "discopop", {"beta": 0.05, "tau": 0.05}, deviates={"large": OVERFLOW})
    out.pair("discopop", {"beta": 0.05, "tau": 0.05}, "DPOTrainer._compute_loss, loss_type discopop, float32",
             dpo(["discopop"]), dtype=torch.float32, deviates=OVERFLOW)
    dpo_lines("sigmoid-norm", "sigmoid_norm", DEFAULT | {"label_smoothing": 0.0})
    out.pair("sigmoid-norm", {"beta": 5.0, "label_smoothing": 0.15}, "DPOTrainer._compute_loss, loss_type sigmoid_norm",
             dpo(["sigmoid_norm"]), inputs=(USUAL,), deviates="label_smoothing is ignored by sigmoid_norm")
    out.pair("sft", {}, "DPOTrainer._compute_loss, loss_type sft",
             lambda b, o: dpo(["sft"])(b, {"beta": 0.1}))


def divergences():
    plain = DEFAULT | {"label_smoothing": 0.0}
    for theirs, ours, deviates in [("reverse_kl", "reverse_kl", {}), ("js_divergence", "js", {}),
                                   ("forward_kl", "forward_kl", UNBOUNDED)]:
        out.pair("f-dpo", plain | {"divergence": ours}, f"DPOTrainer._compute_loss, sigmoid, f_divergence_type {theirs}",
                 dpo(["sigmoid"], divergence=theirs), deviates=deviates)
    alpha = plain | {"divergence": "alpha", "divergence_alpha": 0.5}
    call = "DPOTrainer._compute_loss, sigmoid, f_divergence_type alpha_divergence"
    out.refuse("f-dpo", alpha, call + ", float64", dpo(["sigmoid"], divergence="alpha_divergence"))
    out.pair("f-dpo", alpha, call + ", float32", dpo(["sigmoid"], divergence="alpha_divergence"), dtype=torch.float32,
             deviates="the exponent is cut at 80 in float32, ours goes on as its tangent from 30")


def mixtures():
    nll = {"label_smoothing": 0.0, "nll": "per_response"}
    out.pair("rpo", {"beta": 0.1, "nll_weight": 1.0} | nll, "DPOTrainer._compute_loss, loss_type [sigmoid, sft]",
             dpo(["sigmoid", "sft"]))
    mpo = {"beta": 0.1, "dpo_weight": 0.8, "bco_weight": 0.2, "nll_weight": 1.0}
    three = dpo(["sigmoid", "bco_pair", "sft"], [0.8, 0.2, 1.0])
    out.pair("mpo", mpo | {"nll": "per_response"},
             "DPOTrainer._compute_loss, loss_type [sigmoid, bco_pair, sft], loss_weights [0.8, 0.2, 1.0]", three)

    # Over a batch of several, their NLL is one mean over all chosen tokens.
    out.batch("rpo", {"beta": 0.1, "nll_weight": 0.5, "label_smoothing": 0.0, "nll": "batch_tokens"},
              "DPOTrainer._compute_loss, loss_type [sigmoid, sft], loss_weights [1.0, 0.5]", dpo(["sigmoid", "sft"], [1.0, 0.5]))
    out.batch("mpo", mpo | {"nll": "batch_tokens"}, "DPOTrainer._compute_loss, loss_type [sigmoid, bco_pair, sft]", three)
    out.batch("sft", {}, "DPOTrainer._compute_loss, loss_type sft",
              lambda b, o, s: dpo(["sft"])(b, {"beta": 0.1}),
              deviates="one mean over all chosen tokens of the batch, not a mean of each record's")


def coupled():
    for name in ["aot", "aot_unpaired"]:
        for options in [{"beta": 0.1, "label_smoothing": 0.0}, {"beta": 0.5, "label_smoothing": 0.2}]:
            out.batch(name.replace("_", "-"), options, f"DPOTrainer._compute_loss, loss_type {name}", dpo([name]))

    def kto(loss_type):
        def run(batch, o, state=None):
            policy, mask = stand_in.laid_out(batch, ["chosen"], batch.leaf)
            reference, _ = stand_in.laid_out(batch, ["chosen"], batch.ref)
            other, other_mask = stand_in.laid_out(batch, ["third"], batch.leaf)
            other_ref, _ = stand_in.laid_out(batch, ["third"], batch.ref)

            def model(own, mismatched):
                def call(**kwargs):
                    same = kwargs["input_ids"].shape == mask.shape and torch.equal(kwargs["labels"], labels)
                    return stand_in.LogProbModel(own if same else mismatched)(**kwargs)
                return call
            labels = torch.full_like(mask, stand_in.TOKEN).masked_fill(mask == 0, -100)
            policy_model = model(policy, other)
            trainer = stand_in.trainer(
                beta=o["beta"], loss_type=loss_type, calculate_KL=loss_type == "kto", precompute_ref_logps=False,
                desirable_weight=o.get("desirable_weight", 1.0), undesirable_weight=o.get("undesirable_weight", 1.0),
                ref_model=model(reference, other_ref), args=types.SimpleNamespace(gradient_checkpointing_kwargs=None))
            trainer._compute_kl_logps = types.MethodType(KTOTrainer._compute_kl_logps, trainer)
            inputs = stand_in.inputs_of(mask) | {"label": batch.label} | {
                "KL_" + k: v for k, v in stand_in.inputs_of(other_mask).items()}
            return KTOTrainer._compute_loss(trainer, policy_model, inputs, False)
        return run

    for options in [{"beta": 0.1, "desirable_weight": 1.0, "undesirable_weight": 1.0},
                    {"beta": 0.6, "desirable_weight": 1.25, "undesirable_weight": 0.4}]:
        out.batch("kto", options, "KTOTrainer._compute_loss, loss_type kto", kto("kto"))
        free = {**options, "reference_point": 0.0}
        out.batch("apo-zero-unpaired", free, "KTOTrainer._compute_loss, loss_type apo_zero_unpaired",
                  kto("apo_zero_unpaired"))
    for beta in [0.1, 1e-6, 100.0]:
        out.pair("apo-zero-unpaired", {"beta": beta}, "KTOTrainer._compute_loss, loss_type apo_zero_unpaired",
                 kto("apo_zero_unpaired"), inputs=(USUAL, EXTREME) if beta == 0.1 else (EXTREME,))


def without_reference():
    def cpo(loss_type, mean):
        def run(batch, o):
            trainer = stand_in.trainer(alpha=o.get("reward_alpha", 0.0), beta=o.get("beta"), loss_type=loss_type,
                                       simpo_gamma=o.get("gamma", 0.0), label_smoothing=o.get("label_smoothing", 0.0))
            logps = batch.mean if mean else batch.leaf
            return CPOTrainer.cpo_loss(trainer, logps["chosen"], logps["rejected"])[0]
        return run

    call = "trl.experimental CPOTrainer.cpo_loss, loss_type "
    for beta in [0.1, 1e-6, 100.0]:
        sets = (USUAL, EXTREME) if beta == 0.1 else (EXTREME,)
        out.pair("cpo", {"beta": beta, "nll_weight": 0.0, "label_smoothing": 0.1}, call + "sigmoid", cpo("sigmoid", False),
                 inputs=sets)
    for beta, gamma, smoothing in [(2.0, 0.5, 0.0), (2.5, 0.75, 0.1), (1e-6, 0.5, 0.0), (100.0, 0.5, 0.0)]:
        out.pair("simpo", {"beta": beta, "gamma": gamma, "label_smoothing": smoothing}, call + "simpo", cpo("simpo", True))
    out.pair("alphapo", {"beta": 2.5, "gamma": 0.5, "reward_alpha": 0.25}, call + "simpo, alpha 0.25", cpo("simpo", True),
             deviates="p^-a is not bounded: p underflows to 0, ours goes on as its tangent")

    # The whole of CPO and ORPO, NLL included, over batches: one mean over the batch's tokens.
    def whole(make, prompt_tokens=1):
        """Of the prompt's tokens the attention mask hides the first, which nothing predicts."""
        def run(batch, o, state):
            values, mask = stand_in.laid_out(batch, PAIR, batch.leaf, prompt_tokens)
            trainer = make(o)
            attention = mask.clone()
            attention[:, 1:prompt_tokens] = 1
            half = batch.size
            labels = torch.full_like(mask, stand_in.TOKEN).masked_fill(mask == 0, -100)
            rows = {"chosen": slice(0, half), "rejected": slice(half, None)}
            fields = {f"{role}_{k}": v[rows[role]] for role in PAIR for k, v in
                      [("input_ids", torch.full_like(mask, stand_in.TOKEN)), ("labels", labels),
                       ("attention_mask", attention)]}
            owner = type(trainer).theirs
            for name in ["concatenated_forward", "cpo_loss", "odds_ratio_loss"]:
                if hasattr(owner, name):
                    setattr(trainer, name, types.MethodType(getattr(owner, name), trainer))
            trainer.concatenated_inputs, trainer.get_batch_logps = owner.concatenated_inputs, owner.get_batch_logps
            return owner.get_batch_loss_metrics(trainer, stand_in.LogitModel(values, mask), fields)[0]
        return run

    def made(owner, **fields):
        kind = type("Trainer", (types.SimpleNamespace,), {"theirs": owner})
        return kind(**vars(stand_in.trainer(pad_token_id=0, padding_value=0, **fields)))

    out.batch("cpo", {"beta": 0.1, "nll_weight": 0.7, "label_smoothing": 0.0, "nll": "batch_tokens"},
              "trl.experimental CPOTrainer.get_batch_loss_metrics, loss_type sigmoid",
              whole(lambda o: made(CPOTrainer, cpo_alpha=o["nll_weight"], alpha=0.0, beta=o["beta"], loss_type="sigmoid",
                                   label_smoothing=0.0)))
    out.batch("cpo-simpo", {"beta": 2.0, "gamma": 0.5, "nll_weight": 1.0, "label_smoothing": 0.0, "nll": "batch_tokens"},
              "trl.experimental CPOTrainer.get_batch_loss_metrics, loss_type simpo",
              whole(lambda o: made(CPOTrainer, cpo_alpha=o["nll_weight"], alpha=0.0, beta=o["beta"], loss_type="simpo",
                                   simpo_gamma=o["gamma"], label_smoothing=0.0)))
    orpo = lambda o: made(ORPOTrainer, beta=o["lambda"])
    call = "trl.experimental ORPOTrainer.get_batch_loss_metrics, prompts of "
    out.batch("orpo", {"lambda": 0.1, "nll": "batch_tokens"}, call + "one token", whole(orpo), tolerance=2e-5)
    out.batch("orpo", {"lambda": 0.1, "nll": "batch_tokens"}, call + "five tokens", whole(orpo, 5), tolerance=2e-5,
              deviates="NLL: one mean over prompt and response tokens of the batch")

    def odds_ratio(batch, o):
        trainer = stand_in.trainer(beta=o["lambda"])
        ratio = ORPOTrainer.odds_ratio_loss(trainer, batch.mean["chosen"], batch.mean["rejected"])[0]
        return -batch.mean["chosen"] - ratio
    out.pair("orpo", {"lambda": 0.1, "nll": "per_response"},
             "trl.experimental ORPOTrainer.odds_ratio_loss, float32, with the mean NLL of the response", odds_ratio,
             tolerance=2e-5, deviates="no clamp near probability 1: a log-odds of the unclamped value, or not finite")

    def tpo(loss_type):
        def run(batch, o, state=None):
            roles = [*PAIR, "third"]
            values, mask = stand_in.laid_out(batch, roles, batch.leaf)
            trainer = stand_in.trainer(tpo_alpha=o["nll_weight"], loss_type=loss_type, beta=o["beta"],
                                       label_smoothing=o["label_smoothing"], tpo_l_gamma=o["gamma"])
            return TPOTrainer._compute_loss(trainer, stand_in.LogitModel(values, mask), stand_in.inputs_of(mask), False)
        return run

    certain = lambda p: p["chosen"]["logp"] == 0  # a logit of infinity
    for loss_type, options in [
            ("sigmoid", {"beta": 0.01, "gamma": 0.0, "nll_weight": 1.0, "label_smoothing": 0.0, "normalise": "sum"}),
            ("tpo-l", {"beta": 2.0, "gamma": 0.5, "nll_weight": 0.3, "label_smoothing": 0.1, "normalise": "mean"})]:
        out.pair("tpo", options, f"trl.experimental TPOTrainer._compute_loss, loss_type {loss_type}", tpo(loss_type),
                 skip=certain)
        out.batch("tpo", options, f"trl.experimental TPOTrainer._compute_loss, loss_type {loss_type}", tpo(loss_type),
                  deviates="NLL: one mean over the tokens of the batch's references, not a mean of each record's")


def tokens():
    def run(leaf, entry, o):
        policy, mask, squares = stand_in.laid_out_tokens(entry, leaf)
        reference = stand_in.laid_out_tokens(entry, leaf, reference=True)[0]
        trainer = dpo_trainer(reference, o, ld_alpha=o.get("ld_alpha"), use_weighting="clamp_weight" in o)
        return DPOTrainer._compute_loss(trainer, stand_in.LogProbModel(policy, squares), stand_in.inputs_of(mask), False)

    for ld_alpha in [0.5, 0.0]:
        out.token("ld-dpo", {"beta": 0.1, "ld_alpha": ld_alpha, "desensitise": "both"},
                  "DPOTrainer._compute_loss, loss_type sigmoid, ld_alpha", run)
    out.token("wpo", {"beta": 0.1, "clamp_weight": False}, "DPOTrainer._compute_loss, loss_type sigmoid, use_weighting", run)


if __name__ == "__main__":
    preference()
    divergences()
    mixtures()
    coupled()
    without_reference()
    tokens()
    out.write()
