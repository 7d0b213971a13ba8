#!/usr/bin/env python3
"""Sampled answers to one prompt by transformers' generate on the CPU: seconds.

    pip install torch transformers
    benchmarks/peers/torch_generate.py --prompt 256 --new 32 --samples 8
    benchmarks/peers/torch_generate.py --serve          # one measurement for each line, a number of samples

SmolLM2-135M's shape with random weights in float32, SDPA, with its cache of keys and values; every answer has --new
tokens. With several answers it reads the prompt once for each, as num_return_sequences does. One JSON line a
measurement; the first line printed is {"ready": true, ...}.
"""
import argparse
import json
import os
import sys
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompt", type=int, default=256, help="tokens of the prompt")
    parser.add_argument("--new", type=int, default=32, help="tokens of each answer")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help="measure once for each line read from standard input")
    return parser.parse_args()


options = arguments()
os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))

import torch  # noqa: E402  after OMP_NUM_THREADS
import transformers  # noqa: E402
from transformers import AutoModelForCausalLM, LlamaConfig  # noqa: E402

from smollm2_shape import SMOLLM2  # noqa: E402


def load_model():
    config = LlamaConfig(**SMOLLM2)
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="sdpa").eval()


def measure(model, prompt, samples):
    start, start_cpu = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        out = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=True, temperature=1.0, top_k=0,
                             num_return_sequences=samples, min_new_tokens=options.new, max_new_tokens=options.new, pad_token_id=0)
    assert out.shape == (samples, options.prompt + options.new)
    return {"program": "transformers", "samples": samples, "prompt": options.prompt, "new_tokens": options.new,
            "threads": options.threads, "seconds": round(time.perf_counter() - start, 4),
            "cpu_seconds": round(time.process_time() - start_cpu, 4)}


def main():
    torch.set_num_threads(options.threads)
    model = load_model()
    torch.manual_seed(1)
    prompt = torch.randint(0, model.config.vocab_size, (1, options.prompt))
    measure(model, prompt, 1)
    say = lambda record: print(json.dumps(record), flush=True)
    say({"ready": True, "program": "transformers", "torch": torch.__version__, "transformers": transformers.__version__})
    for line in sys.stdin if options.serve else [str(options.samples)] * options.repetitions:
        say(measure(model, prompt, int(line)))


if __name__ == "__main__":
    main()
