#!/usr/bin/env python3
"""`solopo train --device cuda` as a user runs it: a random model of SmolLM2-135M's shape, records of about 1,024 and
8,192 tokens of prompt and 200 of response. Prints JSON lines: tokens a second of the steps after the first.

    benchmarks/peers/gpu_train.py SOLOPO TINY_MODEL_FOLDER [--steps 6] [--batch-size 4]

The model's tokenizer is the tiny model's, whose ids are all in the larger vocabulary. Needs NumPy.
"""
import argparse
import json
import pathlib
import random
import shutil
import struct
import subprocess
import tempfile

import numpy

SHAPE = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 49152, "hidden_size": 576,
         "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
         "head_dim": 64, "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 100000.0,
         "max_position_embeddings": 16384, "tie_word_embeddings": True, "attention_bias": False, "mlp_bias": False,
         "torch_dtype": "float32"}
WORDS = "key box door lamp cup tree river stone book chair table bird house road hill".split()
WORDS_A_TOKEN = 3200 / 5894  # as the tiny model's tokenizer counts them


def write_model(folder, tokenizer):
    width, inner, kv = SHAPE["hidden_size"], SHAPE["intermediate_size"], SHAPE["num_key_value_heads"] * SHAPE["head_dim"]
    tensors = {"model.embed_tokens.weight": (SHAPE["vocab_size"], width), "model.norm.weight": (width,)}
    for layer in range(SHAPE["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        tensors |= {at + "input_layernorm.weight": (width,), at + "post_attention_layernorm.weight": (width,),
                    at + "self_attn.q_proj.weight": (width, width), at + "self_attn.k_proj.weight": (kv, width),
                    at + "self_attn.v_proj.weight": (kv, width), at + "self_attn.o_proj.weight": (width, width),
                    at + "mlp.gate_proj.weight": (inner, width), at + "mlp.up_proj.weight": (inner, width),
                    at + "mlp.down_proj.weight": (width, inner)}
    header, offset = {}, 0
    for name, shape in tensors.items():
        size = 4 * int(numpy.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    draw = numpy.random.default_rng(1)
    with open(folder / "model.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for shape in tensors.values():
            values = numpy.ones(shape, "f4") if len(shape) == 1 else draw.standard_normal(shape, "f4") * 0.02
            out.write(values.astype("f4").tobytes())
    (folder / "config.json").write_text(json.dumps(SHAPE))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if (tokenizer / name).exists():
            shutil.copy(tokenizer / name, folder / name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("solopo")
    parser.add_argument("tiny", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=4)
    given = parser.parse_args()
    random.seed(1)

    def text(tokens):
        return " ".join(random.choice(WORDS) for _ in range(round(tokens * WORDS_A_TOKEN)))

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "model").mkdir()
        write_model(folder / "model", given.tiny)
        with open(folder / "pairs.jsonl", "w") as out:
            for _ in range(given.steps * given.batch_size):
                out.write(json.dumps({"prompt": text(1024), "prompt_long": text(8192), "chosen": text(200),
                                      "rejected": text(200)}) + "\n")
        solo = ["--objective", "solopo:dpo"]
        ways = {"SoLo-DPO": solo, "SoLo-DPO, response-only": [*solo, "--long-gradient", "response"],
                "SoLo-DPO, LoRA 16": [*solo, "--lora-rank", "16"],
                "ORPO on the long prompt": ["--objective", "orpo", "--context", "expand"]}
        for name, options in ways.items():
            out = folder / name.replace(" ", "_")
            command = [given.solopo, "train", "--model", folder / "model", "--template", "plain", "--data",
                       folder / "pairs.jsonl", "--device", "cuda", "--batch-size", str(given.batch_size),
                       "--max-steps", str(given.steps), "--save-every", "1000", "--out", out, *options]
            subprocess.run([str(x) for x in command], check=True, stdout=subprocess.DEVNULL)
            rows = [json.loads(line) for line in open(out / "metrics.jsonl")]
            rates = sorted(row["tokens_per_second"] for row in rows[1:])
            print(json.dumps({"bench": "train", "model": "smollm2-135m", "way": name, "steps": len(rows),
                              "tokens_a_step": (rows[-1]["num_tokens"] - rows[0]["num_tokens"]) / (len(rows) - 1),
                              "tokens_per_second": round(rates[len(rates) // 2]),
                              "device_memory_gib": round(max(row["device_memory_bytes"] for row in rows) / 2**30, 2),
                              "last_loss": rows[-1]["loss"]}), flush=True)


if __name__ == "__main__":
    main()
