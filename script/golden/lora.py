#!/usr/bin/env python3
"""Golden values for low-rank adapters: tests/golden/lora/<case>/.

    pip install torch transformers peft safetensors numpy
    script/golden/lora.py [--out tests/golden/lora]

Each case is a folder of adapters as PEFT saves it (adapter_config.json, adapter_model.safetensors), random in both matrices,
for a base model of tests/golden/llama, and
  reference.json         base, the packed sequences, the coefficients c_r, and in double precision the summed log-probability
                         of each response (logps) and the objective sum_r c_r logp_r
  reference.safetensors  grad.<adapter's name>: d objective / d adapter; merged.<weight's name>: the weights that PEFT merges
all computed by PEFT on transformers in float64 from the stored float32 adapters and weights (llama.py says what is replaced);
tensors are rounded to float32 when stored.
"""
import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import peft
import safetensors
import torch
import transformers
from llama import COEFFICIENTS, ROOT, SEQUENCES, VOCAB, in_double
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
# name -> (base, LoraConfig's options)
CASES = {
    "all_qwen2": ("qwen2", dict(r=3, lora_alpha=6, target_modules=ALL)),
    "some_tied": ("llama_tied", dict(r=2, lora_alpha=5, target_modules=["q_proj", "v_proj", "up_proj"])),
    "rslora": ("llama_untied", dict(r=4, lora_alpha=8, target_modules=["k_proj", "o_proj", "down_proj"], use_rslora=True)),
}


def base_of(name):
    return AutoModelForCausalLM.from_pretrained(ROOT / "tests/golden/llama" / name, dtype=torch.float64,
                                                attn_implementation="sdpa").eval()


def make_case(name, base, options, folder, seed):
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    model = get_peft_model(base_of(base).float(), LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **options))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.copy_(0.3 * torch.randn_like(parameter))
    model.base_model.model.config._name_or_path = base
    for adapter in model.peft_config.values():
        adapter.base_model_name_or_path = base
        adapter.target_modules = sorted(adapter.target_modules)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink()

    model = PeftModel.from_pretrained(in_double(base_of(base)), folder, is_trainable=True, autocast_adapter_dtype=False).double().eval()
    sequences, logps = [], []
    objective = 0.0
    for (prompt_length, response_length), coefficient in zip(SEQUENCES, COEFFICIENTS):
        prompt = random.integers(0, VOCAB, prompt_length).tolist()
        response = random.integers(0, VOCAB, response_length).tolist()
        logits = model(torch.tensor([prompt + response]), use_cache=False).logits[0]
        assert logits.dtype == torch.float64
        logp = logits[prompt_length - 1:-1].log_softmax(-1).gather(1, torch.tensor(response)[:, None]).sum()
        objective = objective + coefficient * logp
        sequences.append({"prompt": prompt, "response": response})
        logps.append(logp.item())
    objective.backward()
    tensors = {"grad." + n.replace(".default.weight", ".weight"): p.grad for n, p in model.named_parameters() if p.requires_grad}
    merged = model.merge_and_unload()
    adapted = {n.split(".", 2)[2].rsplit(".lora_", 1)[0] + ".weight" for n in (t[len("grad."):] for t in tensors)}
    tensors.update({"merged." + n: p.detach() for n, p in merged.named_parameters() if n in adapted})
    assert sum(n.startswith("merged.") for n in tensors) == len(adapted) > 0
    save_file({k: v.float().contiguous() for k, v in tensors.items()}, folder / "reference.safetensors")
    for path in folder.iterdir():
        path.chmod(0o644)
    reference = {
        "about": __doc__.split("\n")[0], "case": name, "seed": seed, "base": base, "sequences": sequences,
        "coefficients": COEFFICIENTS, "objective": objective.item(), "logps": logps,
        "made_with": {"script": "script/golden/lora.py", "peft": peft.__version__, "torch": torch.__version__,
                      "transformers": transformers.__version__, "safetensors": safetensors.__version__,
                      "numpy": np.__version__}}
    (folder / "reference.json").write_text(json.dumps(reference, indent=1) + "\n")
    sizes = {f.name: f.stat().st_size for f in sorted(folder.iterdir())}
    print(name, "objective", objective.item(), sizes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "tests/golden/lora")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for seed, (name, (base, lora)) in enumerate(CASES.items(), 1):
        make_case(name, base, lora, options.out / name, seed)


if __name__ == "__main__":
    main()
