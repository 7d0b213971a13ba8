#!/usr/bin/env python3
"""The short table of script/gpu: bench_cuda beside PyTorch, from the lines both wrote.

    benchmarks/peers/gpu_table.py FOLDER        with bench.jsonl and, where PyTorch ran, torch.jsonl
"""
import json
import pathlib
import sys


def lines(path):
    if not path.exists():
        return []
    out = []
    for line in path.read_text().splitlines():
        if line.startswith("{"):
            out.append(json.loads(line))
    return out


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    ours, torch = lines(folder / "bench.jsonl"), lines(folder / "torch.jsonl")
    rows = []

    def of(kind, source=ours, **match):
        return [r for r in source if r.get("bench") == kind and all(r.get(k) == v for k, v in match.items())]

    for r in of("machine"):
        rows.append(("card", r["device"]))
        rows.append(("bfloat16 product 8192^3, TFLOP/s", r["gemm_8192_tflops"]))
        rows.append(("copy, GB/s read and written", r["copy_gb_per_second"]))
    for r in of("attention"):
        rows.append((f"attention ({r['kernels']}) {r['heads']}/{r['kv_heads']} heads of {r['head_dim']}, {r['tokens']} tokens: "
                     "forward / backward / both, TFLOP/s",
                     f"{r['attention_fwd_tflops']} / {r['attention_bwd_tflops']} / {r['attention_fwdbwd_tflops']}"))
    for r in of("head"):
        rows.append((f"head, {r['rows']} rows, {r['vocabulary']} x {r['width']}, chunks of {r['chunk']}: forward, forward and backward / product",
                     f"{r['head_fwd_fraction_of_gemm']} / {r['head_fwdbwd_fraction']}"))
    for r in of("rows"):
        rows.append((f"{r['kernel']}, {r['columns']} columns / copy", r["row_kernel_bw_fraction"]))
    for r in of("step"):
        adapters = r.get("lora_rank", 0)
        peer = [] if adapters else of("torch_step", torch, model=r["model"], tokens=r["tokens"])
        ratio = ""
        if peer:
            ratio = f", {r['step_tokens_per_second'] / peer[0]['tokens_per_second']:.2f}x PyTorch"
        order = "" if r["deterministic"] else ", sums in any order"
        trained = f", adapters of rank {adapters}" if adapters else ""
        rows.append((f"step {r['model']}, {r['tokens']} tokens{trained}{order}",
                     f"{r['step_tokens_per_second']:.0f} tokens/s, {r['tflops']} TFLOP/s{ratio}"))
    for r in of("memory"):
        trained = f"adapters of rank {r['lora_rank']}" if r.get("lora_rank", 0) else "all weights"
        order = "" if r.get("deterministic", True) else ", sums in any order"
        rows.append((f"{r['scheme']}, {r['model']}, prompt {r['prompt']}, {trained} trained{order}",
                     f"{r['seconds']} s a record, {r['device_bytes_in_use'] / 2**30:.1f} GiB in use"))
    for r in of("torch_record", torch):
        mine = of("schemes", model=r["model"], prompt=r["prompt"], scheme="V+PS")
        if mine and "seconds" in r:
            rows.append((f"DPO record {r['model']}, prompt {r['prompt']}: PyTorch as it is run / V+PS",
                         f"{r['seconds'] / mine[0]['seconds']:.2f}x"))
    for r in of("schemes"):
        rows.append((f"{r['scheme']}, {r['model']}, prompt {r['prompt']}: over V measured (model), over V+PS measured "
                     "(model)", f"{r['measured_over_v']} ({r['predicted_over_v']}), {r['measured_over_v_ps']} "
                     f"({r['predicted_over_v_ps']})"))
    print("| what | measured |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
