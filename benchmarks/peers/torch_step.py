#!/usr/bin/env python3
"""One training step's forward and backward in PyTorch and transformers: tokens a second and peak memory.

    pip install torch transformers
    benchmarks/peers/torch_step.py --tokens 1024 --response 32 --repetitions 5
    benchmarks/peers/torch_step.py --tokens 1024 --serve        # one measurement for each line on standard input

SmolLM2-135M (random weights of its shape, or --gguf FILE), all weights trained, one sequence. The loss is the summed
log-probability of the last --response tokens: the head and its softmax run on those rows only. Attention is PyTorch's
scaled_dot_product_attention. --dtype bf16 keeps float32 weights and computes under autocast. Each measurement is one
JSON line: forward and backward, without the optimiser. The first line printed is {"ready": true, ...}.
"""
import argparse
import json
import os
import resource
import sys
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=1024, help="length of the sequence, the response included")
    parser.add_argument("--response", type=int, default=32, help="tokens that are scored")
    parser.add_argument("--dtype", choices=["float32", "bf16"], default="float32")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--gguf", help="weights to use instead of random ones")
    parser.add_argument("--recompute", action="store_true", help="gradient checkpointing, a layer at a time")
    parser.add_argument("--warmup", type=int, default=1, help="steps before the first measurement")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help="measure once for each line read from standard input")
    options = parser.parse_args()
    if not 0 < options.response < options.tokens:
        parser.error("--response must lie between 1 and --tokens - 1")
    return options


options = arguments()
os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))

import torch  # noqa: E402  after OMP_NUM_THREADS
import transformers  # noqa: E402
from transformers import AutoModelForCausalLM, LlamaConfig  # noqa: E402

from smollm2_shape import SMOLLM2  # noqa: E402


def load_model():
    if options.gguf:
        folder, name = os.path.split(os.path.abspath(options.gguf))
        model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32,
                                                     attn_implementation="sdpa")
    else:
        config = LlamaConfig(**SMOLLM2)
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="sdpa")
    if options.recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model.train()


def step(model, tokens):
    """Forward and backward; the response's log-probability, the seconds taken, and those of the processor."""
    model.zero_grad(set_to_none=True)
    start, start_cpu = time.perf_counter(), time.process_time()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.dtype == "bf16"):
        hidden = model.model(tokens[:, :-1], use_cache=False).last_hidden_state
        logits = model.lm_head(hidden[:, -options.response:])
    logp = logits.float().log_softmax(-1).gather(-1, tokens[:, -options.response:, None]).sum()
    (-logp).backward()
    return logp.item(), time.perf_counter() - start, time.process_time() - start_cpu


def measure(model, tokens):
    logp, seconds, cpu_seconds = step(model, tokens)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"program": "torch", "tokens": options.tokens, "response": options.response, "dtype": options.dtype,
            "recompute": options.recompute, "threads": options.threads, "seconds": round(seconds, 4), "cpu_seconds": round(cpu_seconds, 4),
            "tokens_per_second": round(options.tokens / seconds, 1), "peak_rss": peak, "logp": logp}


def main():
    torch.set_num_threads(options.threads)
    model = load_model()
    torch.manual_seed(1)
    tokens = torch.randint(0, model.config.vocab_size, (1, options.tokens))
    for _ in range(options.warmup):
        step(model, tokens)
    say = lambda record: print(json.dumps(record), flush=True)
    say({"ready": True, "program": "torch", "torch": torch.__version__, "transformers": transformers.__version__,
         "weights": sum(p.numel() for p in model.parameters()), "isa": torch.backends.cpu.get_cpu_capability(),
         "mkldnn": torch.backends.mkldnn.is_available()})
    if options.serve:
        for _ in sys.stdin:
            say(measure(model, tokens))
    else:
        for _ in range(options.repetitions):
            say(measure(model, tokens))


if __name__ == "__main__":
    main()
