#!/usr/bin/env python3
"""Figures, spreads and verdicts from the lines that the benchmark programs print; the table of script/bench.

    benchmarks/table.py FILE.jsonl... [--json FILE]

A figure is a ratio of times taken in turn in one run: the median of the rounds' ratios, its spread their smallest and
largest. Needs only Python's standard library.
"""
import argparse
import json
import os
import statistics
import sys
from pathlib import Path

# key: (what is measured, goal in words, goal as a test of one number and what belongs to it; None: no goal)
ROWS = {
    "gemm_fraction_of_best_blas": ("float32 products of a step / best library found", ">= .95", lambda x, at: x >= .95),
    "attention_fwd_fraction_of_gemm": ("attention forward / product rate", ">= .60", lambda x, at: x >= .60),
    "attention_bwd_fraction_of_gemm": ("attention backward / product rate", ">= .65", lambda x, at: x >= .65),
    "step_fraction_of_floor": ("floor / training step, float32", ">= .80", lambda x, at: x >= .80),
    "step_fraction_of_floor_bf16": ("floor / training step, bfloat16", ">= .60", lambda x, at: x >= .60),
    "tokens_per_second": ("tokens trained a second, all weights", None, None),
    "tokens_per_second_bf16": ("the same with products in bfloat16", None, None),
    "tokens_per_second_lora": ("tokens trained a second, adapters of rank 16 on every map", None, None),
    "head_fraction_of_gemm": ("head forward / product, 4,096 rows", ">= .80", lambda x, at: x >= .80),
    "head_bytes_over_minimum": ("weight bytes the head moves / least, one pair", "<= 1.5", lambda x, at: x <= 1.5),
    "head_temp_over_naive": ("head's temporaries / all logits of 8,192 rows", "<= .02", lambda x, at: x <= .02),
    "peak_memory_over_model": ("peak memory of the process / cost model", "<= 1.15", lambda x, at: x <= 1.15),
    "padding_tokens": ("rows computed that nobody needs", "0", lambda x, at: x == 0),
    "longest_context_ratio": ("longest context in fixed memory / naive", ">= 3, shared >= 6",
                              lambda x, at: x >= (6 if at == "shared" else 3)),
    "generation_fraction_of_read": ("weights read from memory / a token of one sample", None, None),
    "generated_tokens_per_second": ("tokens generated a second, by samples at once", None, None),
    "generated_tokens_per_second_bf16": ("the same with weights and products in bfloat16", None, None),
    "prompt_tokens_per_second": ("tokens of a prompt read a second", None, None),
    "vs_torch_generation": ("transformers' generate / ours, seconds for answers to one prompt, by answers", None, None),
    "vs_torch_f32": ("tokens/s / PyTorch's, float32", ">= 2.5 with AVX-512, else >= 1.5", None),
    "vs_torch_bf16": ("tokens/s / PyTorch's, bfloat16", ">= 1.6", lambda x, at: x >= 1.6),
    "vs_trl_dpo": ("TRL's DPOTrainer / V+PS, seconds a record", ">= 6 at 2K with AVX-512, else >= 3", None),
    "vs_trl_solopo": ("TRL's DPOTrainer / S+PS, seconds a record", ">= 5 at 2K with AVX-512, else >= 3", None),
    "vs_trl_written_solopo": ("SoLoPO written with TRL's parts / S+PS", None, None),
    "prefix_speedup_over_predicted": ("V over V+PS / cost model", ">= .93", lambda x, at: x >= .93),
    "solopo_over_long_measured": ("S over V", "within 5 % of the model from 4K", None),
    "solopo_over_long_model": ("the same by the cost model", None, None),
    "solopo_over_shared_long_measured": ("S+PS over V+PS", "within 5 % of the model from 4K", None),
    "solopo_over_shared_long_model": ("the same by the cost model", None, None),
    "response_only_over_shared_long": ("S+PS+RO over V+PS", "within 5 % of the model from 4K", None),
    "response_only_over_shared_long_model": ("the same by the cost model", None, None),
    "best_over_naive": ("DPO as usually run / S+PS", ">= 2.2 at 8K", None),
    "response_only_over_naive": ("DPO as usually run / S+PS+RO", None, None),
    "two_pass_overhead": ("S+PS in two passes over S+PS, less 1", "<= .06 at 8K", None),
    "row_kernel_gbps_fraction": ("row kernels' bytes a second / a copy's", ">= .80", lambda x, at: x >= .80),
}
OF_MODEL = {"solopo_over_long_measured": "solopo_over_long_model",
            "solopo_over_shared_long_measured": "solopo_over_shared_long_model",
            "response_only_over_shared_long": "response_only_over_shared_long_model"}
NO_BF16 = "this processor has no bfloat16 instructions (AVX512_BF16), or the build no oneDNN"


class Figures:
    def __init__(self, lines):
        self.lines = lines
        self.values, self.spread, self.reasons = {}, {}, {}
        for build in (self.products, self.attention, self.step, self.head, self.schemes, self.record, self.context,
                      self.generation, self.rows, self.peers):
            build()
        for key in ROWS:
            if key not in self.values:
                self.values[key] = None
                self.reasons.setdefault(key, "not measured")

    def of(self, bench, **match):
        return [r for r in self.lines if r.get("bench") == bench and all(r.get(k) == v for k, v in match.items())]

    def put(self, key, ratios, at=None):
        """The median of `ratios` as the figure `key`, or as its part `at`."""
        ratios = list(ratios)
        value, spread = statistics.median(ratios), [min(ratios), max(ratios)]
        if at is None:
            self.values[key], self.spread[key] = value, spread
        else:
            self.values.setdefault(key, {})[str(at)] = value
            self.spread.setdefault(key, {})[str(at)] = spread

    def put_floor(self, key, lines, at):
        floors = [r for r in lines if "floor_flops" in r]
        if floors:
            self.put(key, (r["floor_flops"] / (r["product_flops"] / r["product_seconds"]) / r["seconds"] for r in floors), at)

    def products(self):
        lines = self.of("product")
        if not lines:
            return
        totals = {}
        for r in lines:
            rounds = totals.setdefault(r["library"], [0.0] * len(r["rounds"]))
            for i, seconds in enumerate(r["rounds"]):
                rounds[i] += seconds * r["times"]
        ours = next(r["library"] for r in lines if r["ours"])
        best = min((name for name in totals if name != ours), key=lambda n: statistics.median(totals[n]), default=None)
        if best is None:
            self.reasons["gemm_fraction_of_best_blas"] = "no library was found to compare with"
            return
        self.put("gemm_fraction_of_best_blas", (b / a for a, b in zip(totals[ours], totals[best])))

    def attention(self):
        for r in self.of("attention"):
            for key, part in (("attention_fwd_fraction_of_gemm", "forward"), ("attention_bwd_fraction_of_gemm", "backward")):
                self.put(key, ((r[part + "_flops"] / a) / (r["product_flops"] / b)
                               for a, b in zip(r[part + "_rounds"], r["product_rounds"])), r["tokens"])

    def step(self):
        steps = {}
        adapters = {}
        usual = [r for r in self.of("step", recompute=False) if r.get("mlp_rows", 0) == 0]
        rounded = {}
        for r in usual:
            if r["dtype"] == "bf16" and r["lora_rank"] == 0 and (r["clock"] == "wall" or r["threads"] == 1):
                rounded.setdefault(r["tokens"], []).append(r)
        for tokens, lines in sorted(rounded.items()):
            self.put("tokens_per_second_bf16", (r["tokens_per_second"] for r in lines), tokens)
            self.put_floor("step_fraction_of_floor_bf16", lines, tokens)
        for r in usual:
            if r["dtype"] == "float32" and (r["clock"] == "wall" or r["threads"] == 1):
                (adapters if r["lora_rank"] > 0 else steps).setdefault(r["tokens"], []).append(r)
        for tokens, lines in sorted(adapters.items()):
            self.put("tokens_per_second_lora", (r["tokens_per_second"] for r in lines), tokens)
        for tokens, lines in sorted(steps.items()):
            self.put("tokens_per_second", (r["tokens_per_second"] for r in lines), tokens)
            self.put("peak_memory_over_model", (r["peak_rss"] / r["model_bytes"] for r in lines), tokens)
            self.put_floor("step_fraction_of_floor", lines, tokens)

    def head(self):
        for r in self.of("head"):
            if r["rows"] >= 4096:
                self.put("head_fraction_of_gemm", ((r["forward_flops"] / a) / (r["product_flops"] / b)
                                                   for a, b in zip(r["forward_rounds"], r["product_rounds"])))
            else:
                self.put("head_bytes_over_minimum", [r["weight_bytes"] / r["minimum_weight_bytes"]])
                self.put("head_temp_over_naive", [r["temporary_bytes"] / r["naive_bytes"]])

    def schemes(self):
        by_prompt = {}
        for r in self.lines:
            if "measured_over_v" in r and "rounds" in r:
                by_prompt.setdefault(r["prompt"], {})[r["scheme"]] = r
        for prompt, of in sorted(by_prompt.items()):
            def over(a, b):
                return [x / y for x, y in zip(of[a]["rounds"], of[b]["rounds"])]

            def model(a, b):
                return of[a]["predicted_over_v"] / of[b]["predicted_over_v"]

            if not {"V", "V+PS", "S", "S+PS"} <= of.keys():
                continue
            self.put("prefix_speedup_over_predicted", (x / model("V", "V+PS") for x in over("V", "V+PS")), prompt)
            self.put("solopo_over_long_measured", over("S", "V"), prompt)
            self.put("solopo_over_long_model", [model("S", "V")], prompt)
            self.put("solopo_over_shared_long_measured", over("S+PS", "V+PS"), prompt)
            self.put("solopo_over_shared_long_model", [model("S+PS", "V+PS")], prompt)
            if "S+PS+RO" in of:
                self.put("response_only_over_shared_long", over("S+PS+RO", "V+PS"), prompt)
                self.put("response_only_over_shared_long_model", [model("S+PS+RO", "V+PS")], prompt)
            if "S+PS, two passes" in of:
                self.put("two_pass_overhead", (x - 1 for x in over("S+PS, two passes", "S+PS")), prompt)
        if by_prompt and "two_pass_overhead" not in self.values:
            self.reasons["two_pass_overhead"] = "not measured: bench_schemes has no trial in two passes"

    def record(self):
        by_prompt = {}
        for r in self.of("record"):
            by_prompt.setdefault(r["prompt"], {})[r["scheme"]] = r
        for prompt, of in sorted(by_prompt.items()):
            for key, scheme in (("best_over_naive", "S+PS"), ("response_only_over_naive", "S+PS+RO")):
                if "naive" in of and scheme in of:
                    self.put(key, (a / b for a, b in zip(of["naive"]["rounds"], of[scheme]["rounds"])), prompt)
            self.put("padding_tokens", [max(r["tokens"] - r["needed_tokens"] for r in of.values())], prompt)

    def context(self):
        for shape in ("smollm2-135m", "small"):
            of = {r["way"]: r for r in self.of("context", shape=shape)}
            if not {"naive", "unshared", "shared"} <= of.keys():
                continue
            longest = "predicted_longest" if shape == "smollm2-135m" else "run_longest"
            for way in ("unshared", "shared"):
                if of["naive"][longest] > 0:
                    at = way if shape == "smollm2-135m" else f"{way}, small shape, run"
                    self.put("longest_context_ratio", [of[way][longest] / of["naive"][longest]], at)

    def generation(self):
        for r in self.of("generation"):
            if "weights_rounds" not in r:
                continue
            if r["dtype"] == "bf16":
                self.put("generated_tokens_per_second_bf16", (r["samples"] * r["steps"] / s for s in r["rounds"]), r["samples"])
                continue
            if r["samples"] == 1:
                self.put("generation_fraction_of_read", (w * r["steps"] / s for w, s in zip(r["weights_rounds"], r["rounds"])))
                self.put("prompt_tokens_per_second", (r["prompt"] / s for s in r["reading_rounds"]), r["prompt"])
            self.put("generated_tokens_per_second", (r["samples"] * r["steps"] / s for s in r["rounds"]), r["samples"])
        pairs = {}
        for r in self.of("generation_pair"):
            pairs.setdefault(r["samples"], []).append(r["torch_seconds"] / r["ours_seconds"])
        for samples, ratios in sorted(pairs.items()):
            self.put("vs_torch_generation", ratios, samples)

    def rows(self):
        for r in self.of("rows"):
            self.put("row_kernel_gbps_fraction", (b / a for a, b in zip(r["rounds"], r["copy_rounds"])), r["kernel"])

    def peers(self):
        for key, dtype in (("vs_torch_f32", "float32"), ("vs_torch_bf16", "bf16")):
            pairs = {}
            for r in self.of("torch_pair", dtype=dtype):
                pairs.setdefault(r["tokens"], []).append(r["torch_seconds"] / r["ours_seconds"])
            for tokens, ratios in sorted(pairs.items()):
                self.put(key, ratios, tokens)
        rounds = self.of("trl_round")
        for key, theirs, ours in (("vs_trl_dpo", "dpo", "V+PS"), ("vs_trl_solopo", "dpo", "S+PS"),
                                  ("vs_trl_written_solopo", "solopo", "S+PS")):
            for prompt in sorted({r["prompt"] for r in rounds}):
                self.put(key, (r["trl"][theirs] / r["ours"][ours] for r in rounds if r["prompt"] == prompt), prompt)
        for r in self.of("failed"):
            for key in r["keys"]:
                self.reasons[key] = r["reason"]

    def machine(self):
        out = {}
        for r in self.of("machine"):
            out.update({k: r[k] for k in ("processor", "cores", "threads", "isa", "compiled_for", "matrix_library", "memory_bytes")})
        rate = lambda flops, rounds: flops / statistics.median(rounds) / 1e9
        for r in self.of("fma"):
            out.setdefault("fma_gflops", {})[f"{r['bits']} bits"] = rate(r["flops"], r["rounds"])
        for r in self.of("copy"):
            out["copy_gbps"] = rate(r["bytes"], r["rounds"])
        for bench, name in (("product", "product_gflops"), ("bf16_product", "bf16_product_gflops")):
            totals = {}
            for r in self.of(bench):
                total = totals.setdefault(r["library"], [0, 0])
                total[0] += r["times"] * r["flops"]
                total[1] += r["times"] * statistics.median(r["rounds"])
            if totals:
                out[name] = {library: flops / seconds / 1e9 for library, (flops, seconds) in totals.items()}
        for r in self.of("products_missing"):
            out["libraries_not_found"] = r["libraries"]
        return out

    def met(self, key, at=None):
        """True, False, or None where there is no goal for it."""
        value = self.values[key]
        value = value if at is None else value[at]
        if key in OF_MODEL:
            if int(at) < 4096:
                return None
            return abs(value / self.values[OF_MODEL[key]][at] - 1) <= .05
        if key == "best_over_naive":
            return value >= 2.2 if int(at) >= 8192 else None
        if key == "two_pass_overhead":
            return value <= .06 if int(at) >= 8192 else None
        with_avx512 = "avx512f" in self.machine().get("isa", [])
        if key == "vs_torch_f32":
            return value >= (2.5 if with_avx512 else 1.5)
        if key in ("vs_trl_dpo", "vs_trl_solopo"):
            most = 6 if key == "vs_trl_dpo" else 5
            return value >= (most if with_avx512 else 3) if int(at) == 2048 else None
        test = ROWS[key][2]
        return None if test is None else test(value, at)


def number(x):
    return f"{x:.0f}" if abs(x) >= 100 else f"{x:.3g}"


def table(figures, keys=None, title=None):
    out = [title, ""] if title else []
    machine = figures.machine()
    if machine:
        out.append(f"{machine.get('processor')}, {machine.get('cores')} cores, {machine.get('threads')} threads, "
                   f"{' '.join(machine.get('isa', []))} (compiled for {' '.join(machine.get('compiled_for', []))}), "
                   f"{machine.get('matrix_library')}")
        fma = ", ".join(f"{number(v)} ({k})" for k, v in machine.get("fma_gflops", {}).items())
        products, rounded = (", ".join(f"{name} {number(v)}" for name, v in machine.get(key, {}).items())
                             for key in ("product_gflops", "bf16_product_gflops"))
        missing = machine.get("libraries_not_found")
        out.append(f"multiply-adds in registers, GFLOP/s: {fma}; copy, GB/s read and written: "
                   f"{number(machine['copy_gbps']) if 'copy_gbps' in machine else 'not measured'}; float32 products, GFLOP/s: {products}"
                   + (f"; bfloat16 products: {rounded}" if rounded else "")
                   + (f"; not found: {', '.join(missing)}" if missing else ""))
        out.append("")
    out += ["| what | goal | measured (smallest, largest) | |", "|---|---|---|---|"]
    for key, (what, goal, _) in ROWS.items():
        if keys and key not in keys:
            continue
        value, spread = figures.values[key], figures.spread.get(key)
        if value is None:
            out.append(f"| {what} `{key}` | {goal or ''} | {figures.reasons[key]} | |")
            continue
        parts = value.items() if isinstance(value, dict) else [(None, value)]
        for at, v in parts:
            low, high = spread if at is None else spread[at]
            across = f" ({number(low)}, {number(high)})" if low != high else ""
            verdict = {None: "", True: "met", False: "missed"}[figures.met(key, at)]
            out.append(f"| {what} `{key}`{'' if at is None else ', ' + at} | {goal or ''} | {number(v)}{across} | {verdict} |")
    return "\n".join(out)


def as_json(figures, keys=None, settings=None):
    chosen = [k for k in ROWS if not keys or k in keys]
    out = {k: figures.values[k] for k in chosen}
    out["reasons"] = {k: figures.reasons[k] for k in chosen if figures.values[k] is None}
    out["spread"] = {k: figures.spread[k] for k in chosen if k in figures.spread}
    out["met"] = {k: figures.met(k) if not isinstance(figures.values[k], dict) else {at: figures.met(k, at) for at in figures.values[k]}
                  for k in chosen if figures.values[k] is not None}
    out["machine"] = figures.machine()
    out["settings"] = settings or {}
    return out


def read_lines(paths):
    lines = []
    for path in paths:
        for line in Path(path).read_text().splitlines():
            if line.startswith("{"):
                lines.append(json.loads(line))
    return lines


def write_json(path, value):
    """The whole file or none of it."""
    part = Path(str(path) + ".part")
    part.write_text(json.dumps(value, indent=1) + "\n")
    os.replace(part, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = Figures(read_lines(options.files))
    print(table(figures))
    if options.json:
        write_json(options.json, as_json(figures))


if __name__ == "__main__":
    sys.exit(main())
