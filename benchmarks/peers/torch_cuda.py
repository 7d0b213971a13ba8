#!/usr/bin/env python3
"""PyTorch and transformers on the GPU at hand, on the work of bench_cuda: a JSON line a measurement.

    benchmarks/peers/torch_cuda.py [--seconds 60]

step: one sequence of random tokens through SmolLM2-135M's and Qwen2.5-0.5B's shapes, bfloat16 weights, attention by
scaled_dot_product_attention, the log-probability of the last 32 tokens (head on those rows only), forward and
backward, then fused AdamW. record: one preference record as it is usually run, chosen and rejected each with the
prompt, logits of all rows in float32, DPO without a reference pass, forward and backward. Random weights.
"""
import argparse
import json
import statistics
import time

import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

ROPE = {"rope_type": "default", "rope_theta": 100000.0}
SHAPES = {
    "smollm2-135m": lambda: LlamaForCausalLM._from_config(
        LlamaConfig(vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
                    num_attention_heads=9, num_key_value_heads=3, max_position_embeddings=1 << 20,
                    tie_word_embeddings=True, rope_parameters=ROPE), attn_implementation="sdpa", dtype=torch.bfloat16),
    "qwen2.5-0.5b": lambda: Qwen2ForCausalLM._from_config(
        Qwen2Config(vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24,
                    num_attention_heads=14, num_key_value_heads=2, max_position_embeddings=1 << 20,
                    tie_word_embeddings=True, rope_parameters=ROPE), attn_implementation="sdpa", dtype=torch.bfloat16),
}


def seconds_of(function, repetitions=5, warmup=2):
    times = []
    for r in range(warmup + repetitions):
        torch.cuda.synchronize()
        start = time.perf_counter()
        function()
        torch.cuda.synchronize()
        if r >= warmup:
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def say(**record):
    print(json.dumps(record), flush=True)


def logps(model, tokens, rows):
    hidden = model.model(tokens[:, :-1], use_cache=False).last_hidden_state
    logits = model.lm_head(hidden[:, -rows:])
    return logits.float().log_softmax(-1).gather(-1, tokens[:, -rows:, None]).sum()


def step(model, tokens):
    model.zero_grad(set_to_none=True)
    (-logps(model, tokens, 32)).backward()


def record(model, prompt, response):
    """Chosen and rejected under their own copy of the prompt, the logits of all rows, as frameworks do."""
    model.zero_grad(set_to_none=True)
    tokens = torch.randint(0, 40000, (2, prompt + response), device="cuda")
    logits = model(tokens, use_cache=False).logits
    logp = logits[:, :-1].float().log_softmax(-1).gather(-1, tokens[:, 1:, None])[:, -response:, 0].sum(-1)
    (-torch.nn.functional.logsigmoid(0.1 * (logp[0] - logp[1]))).backward()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="no new measurement after this time")
    end = time.perf_counter() + parser.parse_args().seconds
    say(bench="torch", torch=torch.__version__, transformers=transformers.__version__,
        device=torch.cuda.get_device_name())
    torch.manual_seed(1)
    for name, make in SHAPES.items():
        model = make().to("cuda").train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
        for tokens in (2048, 8192, 32768):
            if time.perf_counter() > end:
                return say(bench="torch", stopped="out of time")
            ids = torch.randint(0, 40000, (1, tokens + 1), device="cuda")
            torch.cuda.reset_peak_memory_stats()
            both = seconds_of(lambda: step(model, ids))
            update = seconds_of(optimizer.step)
            say(bench="torch_step", model=name, tokens=tokens, seconds=round(both, 5), update_seconds=round(update, 5),
                tokens_per_second=round(tokens / (both + update)), peak_bytes=torch.cuda.max_memory_allocated())
        for prompt in (2048, 8192):
            try:
                say(bench="torch_record", model=name, prompt=prompt, response=200,
                    seconds=round(seconds_of(lambda: record(model, prompt, 200), 3, 1), 5))
            except torch.cuda.OutOfMemoryError:
                say(bench="torch_record", model=name, prompt=prompt, response=200, error="out of memory")
        del model, optimizer
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
