#!/usr/bin/env python3
"""Compare the losses of your own trainer with solopo's conformance vectors (docs/conformance.md).

One file, Python 3.9 or later, standard library only. You write a module with one function for each objective you
have, named as the objective with _ for - (and solopo_dpo for solopo:dpo):

    def dpo(pair, beta=0.1, label_smoothing=0.0):
        w, l = pair["chosen"], pair["rejected"]            # each: logp, ref_logp (summed over tokens), length
        z = beta * ((w["logp"] - w["ref_logp"]) - (l["logp"] - l["ref_logp"]))
        loss = math.log1p(math.exp(-z))
        return loss                                        # or: loss, {"chosen": d loss / d logp, "rejected": ...}

Options come as keyword arguments under the names of the vectors. A case that sets an option your function does not
take is run only if the option has its standard value. A pair also has third, chosen_long, rejected_long,
score_chosen, score_rejected, label (1 or 0) and mean_length (tokens of an average chosen response of the batch).
Objectives that couple a batch (kto, bco, aot, aot_unpaired, alpha_dpo, beta_dpo) take a list of pairs and `state`,
None at first, and return the mean loss, optionally a list of gradients of the mean, one dict a pair, and the new state:

    def bco(pairs, beta=0.1, state=None):
        return loss                   # or loss, gradients      or loss, gradients, state (gradients may be None)

Without gradients, derivatives of pairs are taken by differences, at usual inputs and for objectives that hold nothing
fixed; elsewhere the loss alone is compared. Numbers are equal when |a - b| <= tolerance * max(1, |b|).

Exit status: 0 all equal, 1 something differs, 2 wrong usage or nothing to compare.

    python3 script/conformance.py --module examples/conformance_adapter.py
    python3 script/conformance.py --module my_losses.py --objective dpo --objective simpo --tolerance 2e-5
"""
import argparse
import importlib.util
import inspect
import json
import math
import struct
import sys
from pathlib import Path

ROLES = ("chosen", "rejected", "chosen_long", "rejected_long", "third")
COUPLED = {"kto", "bco", "aot", "aot-unpaired", "alpha-dpo", "beta-dpo"}
# Values an option has where a trainer does not know it.
STANDARD = {"label_smoothing": 0.0, "gamma": 0.0, "delta": 0.0, "reference_point": 0.0, "desirable_weight": 1.0,
            "undesirable_weight": 1.0, "nll": "per_response", "divergence": "reverse_kl", "distance": "absolute",
            "scope": "chosen", "stop_short_gradient": False, "keep": 1.0}
STEP = 1e-4


class Mistake(Exception):
    """Something the user can mend; ends the program with status 2."""


def function_name(objective):
    return objective.replace("-", "_").replace(":", "_")


def load_module(path):
    path = Path(path)
    if not path.is_file():
        raise Mistake(f"--module: no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None:
        raise Mistake(f"--module: {path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except Exception as e:
        raise Mistake(f"--module: {path} cannot be loaded: {type(e).__name__}: {e}")
    return module


def read(folder, name):
    try:
        return json.loads((folder / name).read_text())
    except (OSError, ValueError) as e:
        raise Mistake(f"--vectors: {folder / name}: {e}")


def float32(x):
    """Options are float32 numbers in the vectors' reference."""
    return struct.unpack("f", struct.pack("f", x))[0] if isinstance(x, float) else x


class Vectors:
    def __init__(self, folder):
        usual, extreme, batched = (read(folder, name) for name in
                                   ("objectives.json", "extreme_objectives.json", "batch_objectives.json"))
        self.inputs = {"objectives.json": usual["pairs"], "extreme_objectives.json": extreme["pairs"]}
        self.batches = batched["batches"]
        self.cases = [("objectives.json", c) for c in usual["cases"]]
        self.cases += [("extreme_objectives.json", c) for c in extreme["cases"]]
        self.batch_cases = batched["cases"]
        self.peers = [read(folder / "peers", p.name) for p in sorted((folder / "peers").glob("*.json"))
                      if p.name != "tokens.json"] if (folder / "peers").is_dir() else []

    def names(self):
        return list(dict.fromkeys(c["objective"] for c in [c for _, c in self.cases] + self.batch_cases))

    def known(self, case, inputs, loss, tolerance):
        """The systems that deviate here with this very loss, and why."""
        for peer in self.peers:
            for line in peer.get("pairs", []) if inputs else peer.get("batches", []):
                if line["objective"] != case["objective"] or line.get("inputs") != inputs or \
                        not same_options(line["options"], case["options"]):
                    continue
                for reason, indices in line["deviations"].items():
                    index = case["pair"] if inputs else case["batch"]
                    if index not in indices:
                        continue
                    theirs = line["loss"][index] if inputs else line["batches"][index]["loss"]
                    if (not finite(loss)) if theirs is None else close(loss, theirs, tolerance):
                        return f"as {peer['system']}: {reason}"
        return None


def same_options(a, b):
    return {**STANDARD, **a} == {**STANDARD, **b}


def finite(x):
    return isinstance(x, (int, float)) and math.isfinite(x)


def close(a, b, tolerance):
    return finite(a) and abs(a - b) <= tolerance * max(1.0, abs(b))


def error(a, b):
    return abs(a - b) / max(1.0, abs(b)) if finite(a) else math.inf


def accepted(function, options):
    """The options to pass, or the name of one that the function lacks and the case needs."""
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return options, None
    names = {p.name for p in parameters}
    for name, value in options.items():
        if name not in names and STANDARD.get(name, None) != value:
            return None, name
    return {k: v for k, v in options.items() if k in names}, None


def unpacked(result, parts):
    """A loss and what was returned with it."""
    out = list(result) if isinstance(result, tuple) else [result]
    if not 1 <= len(out) <= parts:
        raise TypeError(f"returned {len(out)} values, expected 1 to {parts}")
    return [float(out[0])] + out[1:] + [None] * (parts - len(out))


def differences(function, pair, options, expected):
    """Fourth-order central differences by the log-probability of each role."""
    out = []
    for role, slope in zip(ROLES, expected):
        if slope == 0 and role not in ("chosen", "rejected"):
            out.append(0.0)
            continue
        def at(k):
            moved = {**pair, role: {**pair[role], "logp": pair[role]["logp"] + k * STEP}}
            return unpacked(function(moved, **options), 2)[0]
        out.append((8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * STEP))
    return out


class Result:
    """What was found of one objective."""

    def __init__(self, name):
        self.name, self.equal, self.differs, self.known = name, 0, 0, {}
        self.lacking, self.worst, self.loss_only = {}, None, 0

    def take(self, what, worst, tolerance, reason):
        if worst[0] <= tolerance:
            self.equal += 1
            return
        self.differs += 1
        if reason:
            self.known[reason] = self.known.get(reason, 0) + 1
        if self.worst is None or worst[0] > self.worst[1][0]:
            self.worst = (what, worst)


def largest(named):
    """(error, name, value, expected) of the worst of (name, value, expected)."""
    return max(((error(a, b), name, a, b) for name, a, b in named), key=lambda x: x[0])


def options_of(case):
    return {k: float32(v) for k, v in case["options"].items()}


def run_pair(function, inputs, case, vectors, tolerance, result):
    pair = {k: v for k, v in vectors.inputs[inputs][case["pair"]].items() if k != "about"}
    options, lacking = accepted(function, case["options"])
    if lacking:
        result.lacking[lacking] = result.lacking.get(lacking, 0) + 1
        return
    options = {k: float32(v) for k, v in options.items()}
    what = f"{json.dumps(case['options'])}, pair {case['pair']} of {inputs}"
    try:
        loss, gradient = unpacked(function({k: dict(v) if k in ROLES else v for k, v in pair.items()}, **options), 2)
        named = [("loss", loss, case["loss"])]
        if gradient is not None:
            unknown = set(gradient) - set(ROLES)
            if unknown:
                raise ValueError(f"a gradient by {', '.join(sorted(unknown))}; known: {', '.join(ROLES)}")
            named += [(f"d/dlogp {r}", float(gradient.get(r, 0.0)), g) for r, g in zip(ROLES, case["gradient"])]
        elif inputs == "objectives.json" and not case["options"].get("stop_short_gradient"):
            named += [(f"d/dlogp {r}", a, g) for r, a, g in
                      zip(ROLES, differences(function, pair, options, case["gradient"]), case["gradient"])]
        else:
            result.loss_only += 1
        worst = largest(named)
    except Exception as e:
        loss, worst = math.nan, (math.inf, f"{type(e).__name__}: {e}", math.nan, case["loss"])
    reason = None if worst[0] <= tolerance else vectors.known(case, inputs, loss, tolerance)
    result.take(what, worst, tolerance, reason)


def run_batches(function, case, vectors, tolerance, result):
    options, lacking = accepted(function, case["options"])
    if lacking:
        result.lacking[lacking] = result.lacking.get(lacking, 0) + 1
        return
    options, state = {k: float32(v) for k, v in options.items()}, None
    stateful = "state" in inspect.signature(function).parameters
    for index, (pairs, expected) in enumerate(zip(vectors.batches, case["batches"])):
        what = f"{json.dumps(case['options'])}, batch {index}"
        try:
            given = [{k: dict(v) if k in ROLES else v for k, v in p.items()} for p in pairs]
            loss, gradients, state = unpacked(function(given, **options, **({"state": state} if stateful else {})), 3)
            named = [("loss", loss, expected["loss"])]
            if gradients is None:
                result.loss_only += 1
            else:
                named += [(f"d/dlogp {r} of pair {i}", float(gradients[i].get(r, 0.0)), g)
                          for i, slopes in enumerate(expected["gradient"]) for r, g in zip(ROLES, slopes)]
            worst = largest(named)
        except Exception as e:
            loss, worst = math.nan, (math.inf, f"{type(e).__name__}: {e}", math.nan, expected["loss"])
        reason = None if worst[0] <= tolerance else vectors.known({**case, "batch": index}, None, loss, tolerance)
        result.take(what, worst, tolerance, reason)


def print_table(results, missing):
    width = max([9, *(len(r.name) for r in results), *map(len, missing)])
    print(f"{'objective':{width}}  {'cases':>5}  {'equal':>5}  {'differ':>6}  {'known':>5}  {'not run':>7}")
    for r in results:
        known = sum(r.known.values())
        print(f"{r.name:{width}}  {r.equal + r.differs:>5}  {r.equal:>5}  {r.differs:>6}  {known:>5}  "
              f"{sum(r.lacking.values()):>7}  {'DIFFERS' if r.differs else 'equal' if r.equal else 'not run'}")
    if missing:
        plain = [name for name in missing if ":" not in name]
        print(f"missing from the module: {', '.join(plain)}{', ' if plain else ''}"
              f"and {len(missing) - len(plain)} of solopo:NAME")
    for r in results:
        for option, times in r.lacking.items():
            print(f"{r.name}: {times} cases need the option {option}, which the function does not take")
        if r.loss_only:
            print(f"{r.name}: in {r.loss_only} cases the loss alone was compared; return gradients to compare them")
        for reason, times in r.known.items():
            print(f"{r.name}: {times} cases deviate {reason}")
        if r.worst:
            what, (size, where, value, expected) = r.worst
            print(f"{r.name}: worst case {what}\n    {where}: yours {value!r}, expected {expected!r}, error {size:.3g}")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", required=True, help="your Python file")
    parser.add_argument("--objective", action="append", metavar="NAME", help="only this one; may be repeated")
    parser.add_argument("--vectors", type=Path, metavar="DIR",
                        default=Path(__file__).resolve().parents[1] / "tests/golden", help="folder of the vectors [%(default)s]")
    parser.add_argument("--tolerance", type=float, default=1e-6, help="1e-6 for float64 [default], 2e-5 for float32")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts to this file too")
    options = parser.parse_args(arguments)
    if not options.tolerance > 0:
        raise Mistake(f"--tolerance: {options.tolerance}, expected a number above 0")
    vectors = Vectors(options.vectors)
    module = load_module(options.module)
    names = vectors.names()
    for name in options.objective or []:
        if name not in names:
            raise Mistake(f"--objective: no vectors for {name}; known: {', '.join(names)}")
    wanted = options.objective or names
    functions = {name: getattr(module, function_name(name), None) for name in wanted}
    missing = [name for name in wanted if not callable(functions[name])]
    if options.objective and missing:
        raise Mistake(f"--objective: the module has no function {', '.join(map(function_name, missing))}")
    results = []
    for name in wanted:
        if name in missing:
            continue
        result = Result(name)
        for inputs, case in vectors.cases:
            if case["objective"] == name:
                run_pair(functions[name], inputs, case, vectors, options.tolerance, result)
        for case in vectors.batch_cases:
            if case["objective"] == name:
                run_batches(functions[name], case, vectors, options.tolerance, result)
        results.append(result)
    if not any(r.equal + r.differs for r in results):
        raise Mistake(f"the module has no function to compare; looked for {', '.join(map(function_name, wanted))}")
    print_table(results, missing)
    if options.json:
        options.json.write_text(json.dumps({r.name: {"equal": r.equal, "differs": r.differs, "known": r.known,
                                                     "not_run": r.lacking} for r in results}, indent=1) + "\n")
    return 1 if any(r.differs for r in results) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Mistake as e:
        print(f"conformance: {e}", file=sys.stderr)
        sys.exit(2)
