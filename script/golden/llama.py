#!/usr/bin/env python3
"""Golden values for the decoder's forward and backward: tests/golden/llama/<case>/.

    pip install torch transformers safetensors numpy
    script/golden/llama.py [--out tests/golden/llama]

Each case is a Hugging Face folder (config.json, model.safetensors) of a random model, and
  reference.json         the packed sequences, the coefficients c_r, and in double precision the summed log-probability of each
                         response (logps), those of its tokens (token_logps), and the objective sum_r c_r logp_r
  reference.safetensors  logits (R, V) of the row that predicts the first response token of each sequence,
                         last_logits (R, V) of the last row of each sequence, grad.<weight name>: d objective / d weight
all computed by transformers in float64 from the stored float32 weights; tensors are rounded to float32 when stored.
transformers computes norms and rotary angles in float32 whatever the model's type, so these two are replaced by
float64 versions; the script checks that this moves no log-probability by more than 1e-5.
"""
import argparse
import json
import types
from pathlib import Path

import numpy as np
import safetensors
import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

ROOT = Path(__file__).resolve().parents[2]
VOCAB = 96
SHAPE = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=128, bos_token_id=1, eos_token_id=2)
# name -> (config, does config.json name theta the way transformers 4 did)
CASES = {
    "llama_untied": (LlamaConfig(**SHAPE, rms_norm_eps=1e-5, tie_word_embeddings=False,
                                 rope_parameters={"rope_type": "default", "rope_theta": 10000.0}), False),
    "llama_tied": (LlamaConfig(**SHAPE, rms_norm_eps=1e-6, tie_word_embeddings=True,
                               rope_parameters={"rope_type": "default", "rope_theta": 500.0}), True),
    # One key head for all, and a head wider than hidden / heads.
    "llama_wide_head": (LlamaConfig(**{**SHAPE, "num_key_value_heads": 1}, head_dim=16, rms_norm_eps=1e-5,
                                    tie_word_embeddings=True,
                                    rope_parameters={"rope_type": "default", "rope_theta": 10000.0}), True),
    "qwen2": (Qwen2Config(**SHAPE, rms_norm_eps=1e-6, tie_word_embeddings=False,
                          rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}), False),
    "qwen2_tied": (Qwen2Config(**SHAPE, rms_norm_eps=1e-6, tie_word_embeddings=True, use_sliding_window=False,
                               rope_parameters={"rope_type": "default", "rope_theta": 1000.0}), True),
}
SEQUENCES = [(11, 4), (1, 7), (18, 1)]  # prompt and response lengths
COEFFICIENTS = [0.75, -1.25, 0.5]


def as_transformers_4(folder):
    """Rewrite config.json with `rope_theta` and `torch_dtype`, the names before transformers 5."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["rope_scaling"] = None
    config["torch_dtype"] = config.pop("dtype")
    path.write_text(json.dumps(config, indent=2) + "\n")


def rms_norm(self, x):
    return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))


def rotary_angles(self, x, position_ids):
    theta = self.config.rope_parameters["rope_theta"]
    width = getattr(self.config, "head_dim", None) or self.config.hidden_size // self.config.num_attention_heads
    inverse = theta ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = (position_ids[..., None] * inverse).repeat(1, 1, 2)
    return angles.cos(), angles.sin()


def in_double(model):
    """The same model with norms and rotary angles in float64 too."""
    for part in model.modules():
        if type(part).__name__.endswith("RMSNorm"):
            part.forward = types.MethodType(rms_norm, part)
        elif type(part).__name__.endswith("RotaryEmbedding"):
            part.forward = types.MethodType(rotary_angles, part)
    return model


def make_case(name, config, old_names, folder, seed):
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() == 1:  # norms near one, biases near zero; neither left at its start value
                weight.add_(0.2 * torch.randn_like(weight))
            else:
                weight.copy_(torch.randn_like(weight) * (0.8 if weight.shape[0] == VOCAB else weight.shape[1] ** -0.5))
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if old_names:
        as_transformers_4(folder)
    stored = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), stored.parameters()))
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="sdpa").eval()
    model = in_double(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="sdpa").eval())

    sequences, first, last, logps, token_logps = [], [], [], [], []
    objective = 0.0
    for (prompt_length, response_length), coefficient in zip(SEQUENCES, COEFFICIENTS):
        prompt = random.integers(0, VOCAB, prompt_length).tolist()
        response = random.integers(0, VOCAB, response_length).tolist()

        def response_logps(of):
            logits = of(torch.tensor([prompt + response]), use_cache=False).logits[0]
            rows = logits[prompt_length - 1:-1].log_softmax(-1)
            return logits, rows.gather(1, torch.tensor(response)[:, None])[:, 0]

        logits, tokens = response_logps(model)
        assert logits.dtype == torch.float64
        assert (response_logps(plain)[1] - tokens).abs().max() < 1e-5
        objective = objective + coefficient * tokens.sum()
        sequences.append({"prompt": prompt, "response": response})
        first.append(logits[prompt_length - 1].detach())
        last.append(logits[-1].detach())
        token_logps.append(tokens.tolist())
        logps.append(tokens.sum().item())
    objective.backward()
    tensors = {"logits": torch.stack(first), "last_logits": torch.stack(last)}
    for weight_name, weight in model.named_parameters():  # a tied head adds into model.embed_tokens.weight
        tensors["grad." + weight_name] = weight.grad
    save_file({k: v.float().contiguous() for k, v in tensors.items()}, folder / "reference.safetensors")
    for path in folder.iterdir():
        path.chmod(0o644)
    reference = {
        "about": __doc__.split("\n")[0], "case": name, "seed": seed, "sequences": sequences,
        "coefficients": COEFFICIENTS, "objective": objective.item(), "logps": logps, "token_logps": token_logps,
        "made_with": {"script": "script/golden/llama.py", "torch": torch.__version__, "transformers": transformers.__version__,
                      "safetensors": safetensors.__version__, "numpy": np.__version__}}
    (folder / "reference.json").write_text(json.dumps(reference, indent=1) + "\n")
    sizes = {f.name: f.stat().st_size for f in sorted(folder.iterdir())}
    print(name, "objective", objective.item(), sizes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "tests/golden/llama")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for seed, (name, (config, old_names)) in enumerate(CASES.items(), 1):
        make_case(name, config, old_names, options.out / name, seed)


if __name__ == "__main__":
    main()
