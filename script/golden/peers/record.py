"""What the scripts of this folder share: the inputs, the documented values, and the form in which a system's are kept.

A script names a system and its version, and for every line an objective of ours with the options that describe what
the system was asked for, the call that was made, and a function from the inputs to the system's loss. The derivatives
are PyTorch's, by the log-probabilities. Each result is compared with the documented value, the 60-digit formulas of
objectives.py and batch_objectives.py. One that differs must have been announced (`deviates`), and one announced must
be there; otherwise the script stops. Numbers keep 12 significant digits; null stands for NaN and infinity.
"""
import json
import math
import os
import random
import sys
from importlib.metadata import version
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""
import torch

torch.set_num_threads(1)
ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "script/golden"))
import batch_objectives as coupled
import objectives as single
from objectives import ROLES

GOLDEN = ROOT / "tests/golden"
USUAL, EXTREME = "objectives.json", "extreme_objectives.json"
SETS = {name: json.loads((GOLDEN / name).read_text())["pairs"] for name in (USUAL, EXTREME)}
BATCHES = json.loads((GOLDEN / "batch_objectives.json").read_text())["batches"]


def f32(x):
    return float(torch.tensor(x, dtype=torch.float32))


def exact_options(options):
    """The library keeps its options in float32."""
    return {k: f32(v) if isinstance(v, float) else v for k, v in options.items()}


def number(x):
    return float(f"{x:.12g}") + 0.0 if math.isfinite(x) else None


class Batch:
    """Records as columns: leaves whose derivative is asked for, and what systems derive from them."""

    def __init__(self, records, dtype=torch.float64):
        def column(of, grad=False):
            return torch.tensor([float(of(r)) for r in records], dtype=dtype, requires_grad=grad)
        self.dtype, self.size = dtype, len(records)
        self.leaf = {role: column(lambda r: r[role]["logp"], True) for role in ROLES}
        self.ref = {role: column(lambda r: r[role]["ref_logp"]) for role in ROLES}
        self.length = {role: column(lambda r: r[role]["length"]) for role in ROLES}
        self.mean = {role: self.leaf[role] / self.length[role] for role in ROLES}
        self.ref_mean = {role: self.ref[role] / self.length[role] for role in ROLES}
        self.label = torch.tensor([r["label"] > 0 for r in records])

    def gradient(self, loss):
        slopes = torch.autograd.grad(loss, list(self.leaf.values()), allow_unused=True)
        columns = [[0.0] * self.size if g is None else g.tolist() for g in slopes]
        return [list(row) for row in zip(*columns)]


def close(a, b, tolerance):
    return a is not None and abs(a - b) <= tolerance * max(1, abs(b))


class Record:
    def __init__(self, system, packages, about):
        self.system, self.about = f"{system} {version(system)}", about
        self.versions = {p: version(p).split("+")[0] for p in packages}
        self.pairs, self.batches, self.tokens, self.refused = [], [], [], []

    def _judged(self, what, deviates, differing):
        """{index: reason} of what differs: (index, record, theirs, documented) each; every reason must be used."""
        reasons = {deviates: lambda record: True} if isinstance(deviates, str) else deviates
        found = []
        for where, record, theirs, documented in differing:
            named = [text for text, holds in reasons.items() if holds(record)]
            if not named:
                raise SystemExit(f"{self.system}, {what}, {where}: differs, but no reason is given\n"
                                 f"  theirs {theirs}\n  documented {documented}")
            found.append((where, named[0]))
        for text in reasons:
            if text not in [t for _, t in found]:
                raise SystemExit(f"{self.system}, {what}: said to deviate ({text}), but nothing does")
        return found

    def pair(self, objective, options, call, loss_of, inputs=(USUAL, EXTREME), dtype=torch.float64, tolerance=None,
             deviates={}, skip=lambda p: False):
        """`loss_of(batch, options)` for every pair as a batch of one."""
        tolerance = tolerance or (1e-6 if dtype == torch.float64 else 2e-5)
        lines, differing = [], []
        for name in inputs:
            line = {"objective": objective, "options": options, "call": call, "inputs": name, "tolerance": tolerance,
                    "loss": [], "gradient": [], "skipped": [], "deviations": {}}
            for index, p in enumerate(SETS[name]):
                if skip(p):
                    line["skipped"].append(index)
                    theirs = [None] * (1 + len(ROLES))
                else:
                    batch = Batch([p], dtype)
                    loss = loss_of(batch, exact_options(options)).double().sum()
                    theirs = [number(loss.item()), *map(number, batch.gradient(loss)[0])]
                    value, slopes = single.evaluated(objective, options, p)
                    if not all(close(a, b, tolerance) for a, b in zip(theirs, [value, *slopes])):
                        differing.append(((len(lines), index), p, theirs, [value, *slopes]))
                line["loss"].append(theirs[0])
                line["gradient"].append(theirs[1:])
            lines.append(line)
        for (number_of_line, index), text in self._judged(f"{objective} {options}", deviates, differing):
            lines[number_of_line]["deviations"].setdefault(text, []).append(index)
        self.pairs += lines

    def batch(self, objective, options, call, loss_of, tolerance=1e-6, deviates={}):
        """`loss_of(batch, options, state)`, the mean over each batch, through the batches in order."""
        results, state, differing = [], {}, []
        documented = documented_batches(objective, options)
        for index, records in enumerate(BATCHES):
            batch = Batch(records)
            loss = loss_of(batch, exact_options(options), state).double()
            theirs = {"loss": number(loss.item()), "gradient": [list(map(number, g)) for g in batch.gradient(loss)]}
            ours = documented[index]
            flat = [(theirs["loss"], ours["loss"]), *zip(sum(theirs["gradient"], []), sum(ours["gradient"], []))]
            if not all(close(a, b, tolerance) for a, b in flat):
                differing.append((index, records, theirs, ours))
            results.append(theirs)
        found = self._judged(f"{objective} {options}", deviates, differing)
        self.batches.append({"objective": objective, "options": options, "call": call, "tolerance": tolerance,
                             "batches": results, "deviations": {text: [i for i, t in found if t == text] for _, text in found}})

    def token(self, form, options, call, loss_of, tolerance=1e-6, deviates=""):
        """`loss_of(leaf, entry, options)` for every entry of TOKENS; the derivatives are by the summed log-probabilities
        of chosen's head and tail, rejected's head and tail. `deviates`: why these are no documented values."""
        losses, gradients = [], []
        for entry in TOKENS:
            leaf = {role: [torch.tensor(float(entry[role][k]), dtype=torch.float64, requires_grad=True)
                           for k in ("head_logp", "tail_logp")] for role in ("chosen", "rejected")}
            loss = loss_of(leaf, entry, exact_options(options)).double().sum()
            slopes = torch.autograd.grad(loss, leaf["chosen"] + leaf["rejected"], allow_unused=True)
            losses.append(number(loss.item()))
            gradients.append([0.0 if g is None else number(g.item()) for g in slopes])
        self.tokens.append({"form": form, "options": options, "call": call, "tolerance": tolerance, "loss": losses,
                            "gradient": gradients, **({"deviation": deviates} if deviates else {})})

    def refuse(self, objective, options, call, attempt):
        """A call that must end in an exception, whose words are kept."""
        try:
            attempt(Batch([SETS[USUAL][0]]), exact_options(options))
        except Exception as e:
            words = f"{type(e).__name__}: {str(e).splitlines()[0][:100]}"
            self.refused.append({"objective": objective, "options": options, "call": call, "error": words})
        else:
            raise SystemExit(f"{self.system}, {objective} {options}: said to be refused, but it is not")

    def write(self):
        folder = GOLDEN / "peers"
        folder.mkdir(exist_ok=True)
        name = self.system.replace(" ", "-") + ".json"
        parts = [f'"{key}": [\n' + ",\n".join(json.dumps(x) for x in getattr(self, key)) + "\n]"
                 for key in ("pairs", "batches", "tokens", "refused") if getattr(self, key)]
        head = f'"system": {json.dumps(self.system)},\n"about": {json.dumps(self.about)},\n' \
               f'"versions": {json.dumps(self.versions)}'
        (folder / "tokens.json").write_text('{"inputs": [\n' + ",\n".join(map(json.dumps, TOKENS)) + "\n]}\n")
        (folder / name).write_text("{" + ",\n".join([head, *parts]) + "}\n")
        print(f"{self.system}: {len(self.pairs)} lines of pairs, {len(self.batches)} of batches, "
              f"{len(self.tokens)} of tokens, {len(self.refused)} refused")


def documented_batches(objective, options):
    if objective in coupled.OBJECTIVES:
        return coupled.run(objective, {k: single.f32(v) if isinstance(v, float) else v for k, v in options.items()}, False)
    out = []
    for records in BATCHES:
        each = [single.evaluated(objective, options, p) for p in records]
        out.append({"loss": sum(v for v, _ in each) / len(each),
                    "gradient": [[x / len(each) for x in g] for _, g in each]})
    return out


def token_inputs():
    """Pairs whose tokens matter. A length-desensitised loss weighs the tokens behind the shorter response's length, the
    tail, less; WPO reads the sum over tokens of ln sum_v p_v^2, here of a vocabulary of two."""
    draw, out = random.Random(11), []
    for chosen, rejected in [(5, 9), (12, 4), (1, 1), (7, 7), (3, 20), (1, 6)]:
        entry, public = {}, min(chosen, rejected)
        for role, n in [("chosen", chosen), ("rejected", rejected)]:
            head, tail = (-draw.randint(2, 128) * k / 64 for k in (public, n - public))
            square = sum(k * math.log(math.exp(2 * x) + (-math.expm1(x)) ** 2) for k, x in
                         [(public, head / public), (n - public, tail / max(1, n - public))])
            entry[role] = {"head_logp": head, "tail_logp": tail, "ref_head_logp": head + draw.randint(-64, 64) / 64,
                           "ref_tail_logp": tail + (draw.randint(-64, 64) / 64 if n > public else 0), "length": n,
                           "head_length": public, "sum_log_square": number(square)}
        out.append(entry)
    return out


TOKENS = token_inputs()
