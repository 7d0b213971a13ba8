#!/usr/bin/env python3
"""Writes tests/golden/peers/liger-kernel-0.8.5.json: what Liger-Kernel's preference losses give.

The functions take log-probabilities; the modules (LigerFusedLinearDPOLoss) are run as a trainer runs them, from hidden
states: a vocabulary of two and an identity for a head make the hidden states the logits. Run by script/golden/all.
"""
import record
import stand_in
import torch
from liger_kernel.chunked_loss import LigerFusedLinearDPOLoss
from liger_kernel.chunked_loss.cpo_loss import LigerFusedLinearCPOFunction as CPO
from liger_kernel.chunked_loss.dpo_loss import LigerFusedLinearDPOFunction as DPO
from liger_kernel.chunked_loss.kto_loss import LigerFusedLinearKTOFunction as KTO
from liger_kernel.chunked_loss.orpo_loss import LigerFusedLinearORPOFunction as ORPO
from liger_kernel.chunked_loss.simpo_loss import LigerFusedLinearSimPOFunction as SimPO
from record import EXTREME, USUAL

out = record.Record("liger-kernel", ["torch", "liger-kernel"], __doc__.splitlines()[0])
DEFAULT = {"beta": 0.1}
SMOOTH = {"beta": 0.3, "label_smoothing": 0.2}
NEAR_ONE = "log1p(-e^m) near probability 1: a log-odds of the unclamped value, or not finite"


def target(batch):
    return torch.zeros(2 * batch.size, 1, dtype=torch.long)


def dpo(loss_type, **settings):
    def run(batch, o):
        return DPO.preference_loss_fn(batch.leaf["chosen"], batch.leaf["rejected"], target(batch), batch.ref["chosen"],
                                      batch.ref["rejected"], beta=o["beta"], loss_type=loss_type,
                                      **{ours: o[ours] for ours in settings.get("reads", [])},
                                      **({"discopop_tau": o["tau"]} if "tau" in o else {}))[0]
    return run


def fused(loss_type):
    """The module with its options, float32 inside."""
    def run(batch, o):
        def logits(of):
            values, mask = stand_in.laid_out(batch, ["chosen", "rejected"], of)
            return stand_in.LogitModel(values, mask).logits[:, :-1].float(), mask[:, 1:]
        policy, mask = logits(batch.leaf)
        reference, _ = logits(batch.ref)
        labels = torch.full_like(mask, stand_in.TOKEN).masked_fill(mask == 0, -100)
        module = LigerFusedLinearDPOLoss(beta=o["beta"], loss_type=loss_type, compiled=False,
                                         label_smoothing=o.get("label_smoothing", 0.0), discopop_tau=o.get("tau", 0.05))
        return module(torch.eye(2, requires_grad=True), policy, labels, ref_input=reference, ref_weight=torch.eye(2))[0]
    return run


def main():
    call = "LigerFusedLinearDPOFunction.preference_loss_fn, loss_type "
    smoothing = ["label_smoothing"]
    for objective, options, loss_type, reads in [
            ("dpo", DEFAULT | {"label_smoothing": 0.0}, "sigmoid", []), ("hinge", DEFAULT, "hinge", []),
            ("nca-pair", DEFAULT, "nca_pair", []), ("sppo-hard", DEFAULT, "sppo_hard", []),
            ("apo-zero", DEFAULT, "apo_zero", []), ("apo-down", DEFAULT, "apo_down", []),
            ("bco-pair", DEFAULT | {"delta": 0.0}, "bco_pair", []), ("robust", SMOOTH, "robust", smoothing),
            ("exo-pair", SMOOTH, "exo_pair", smoothing), ("discopop", {"beta": 0.05, "tau": 0.05}, "discopop", [])]:
        out.pair(objective, options, call + loss_type, dpo(loss_type, reads=reads))
    overflow = "e^-z is computed by itself and overflows: no finite number"
    out.pair("discopop", {"beta": 0.05, "tau": 0.05}, call + "discopop, float32", dpo("discopop"), dtype=torch.float32,
             deviates=overflow)
    out.refuse("ipo", DEFAULT | {"normalise": "mean"}, call + "ipo", dpo("ipo"))
    out.refuse("exo-pair", {"beta": 0.1, "label_smoothing": 0.0}, call + "exo_pair", dpo("exo_pair", reads=smoothing))

    # Do the module's options reach the loss? (They did not in TRL's fused path before 2026-09.)
    module = "LigerFusedLinearDPOLoss, loss_type "
    far = lambda p: p["chosen"]["logp"] / p["chosen"]["length"] < -20  # beyond what float32 logits of a head hold
    for objective, options, loss_type, deviates in [
            ("robust", SMOOTH, "robust", {}), ("exo-pair", SMOOTH, "exo_pair", {}),
            ("discopop", {"beta": 0.05, "tau": 0.5}, "discopop", {}),
            ("dpo", SMOOTH, "sigmoid", "label_smoothing is ignored by sigmoid")]:
        out.pair(objective, options, module + loss_type, fused(loss_type), inputs=(USUAL,), tolerance=2e-5,
                 deviates=deviates, skip=far)

    def simpo(batch, o):
        return SimPO.preference_loss_fn(batch.mean["chosen"], batch.mean["rejected"], target(batch), beta=o["beta"],
                                        gamma=o["gamma"], label_smoothing=o["label_smoothing"])[0]

    def cpo(batch, o):
        loss = CPO.preference_loss_fn(batch.leaf["chosen"], batch.leaf["rejected"], target(batch), beta=o["beta"],
                                      label_smoothing=o["label_smoothing"])[0]
        return loss - o["nll_weight"] * batch.mean["chosen"]

    def orpo(batch, o):
        ratio = ORPO.preference_loss_fn(batch.mean["chosen"], batch.mean["rejected"], target(batch), beta=o["lambda"])[0]
        return ratio - batch.mean["chosen"]

    def kto(batch, o, state):
        z = (batch.leaf["third"] - batch.ref["third"]).mean().clamp(min=0).detach()  # the caller's part
        return KTO.preference_loss_fn(batch.leaf["chosen"], batch.label, target(batch)[:batch.size],
                                      ref_log_prob_chunk=batch.ref["chosen"], beta=o["beta"], kl=z)[0]

    name = "LigerFusedLinear{}Function.preference_loss_fn"
    out.pair("simpo", {"beta": 2.0, "gamma": 0.5, "label_smoothing": 0.0}, name.format("SimPO"), simpo)
    out.pair("simpo", {"beta": 2.5, "gamma": 0.75, "label_smoothing": 0.1}, name.format("SimPO"), simpo)
    out.pair("cpo", {"beta": 0.1, "nll_weight": 1.0, "label_smoothing": 0.0, "nll": "per_response"},
             name.format("CPO") + ", with the mean NLL of the response", cpo)
    out.pair("orpo", {"lambda": 0.1, "nll": "per_response"}, name.format("ORPO") + ", with the mean NLL of the response",
             orpo, deviates=NEAR_ONE)
    out.pair("orpo", {"lambda": 0.1, "nll": "per_response"},
             name.format("ORPO") + ", float32, with the mean NLL of the response", orpo, inputs=(EXTREME,),
             dtype=torch.float32, deviates=NEAR_ONE)
    out.batch("kto", {"beta": 0.1, "desirable_weight": 1.0, "undesirable_weight": 1.0}, name.format("KTO"), kto)
    out.batch("kto", {"beta": 0.6, "desirable_weight": 1.25, "undesirable_weight": 0.4}, name.format("KTO"), kto,
              deviates="it has no weights of the two labels")


if __name__ == "__main__":
    main()
    out.write()
