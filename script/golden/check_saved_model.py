#!/usr/bin/env python3
"""Open a model folder with transformers and print its greedy answer to a prompt as JSON.

    pip install torch transformers safetensors
    script/golden/check_saved_model.py FOLDER --prompt TEXT [--chat] [--new-tokens 16]

Without --chat the prompt is encoded as it is; with --chat it becomes a user's message under the folder's chat template.
"""
import argparse
import json

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--chat", action="store_true", help="put the prompt into the chat template")
    parser.add_argument("--new-tokens", type=int, default=16)
    options = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(options.folder)
    model, report = AutoModelForCausalLM.from_pretrained(options.folder, dtype=torch.float32, output_loading_info=True)
    # transformers fills a missing weight with random numbers and says so only here.
    faults = {k: sorted(map(str, v)) for k, v in report.items() if v}
    if faults:
        raise SystemExit(f"weights do not match the model: {faults}")
    text = options.prompt
    if options.chat:
        text = tokenizer.apply_chat_template([{"role": "user", "content": text}], tokenize=False,
                                             add_generation_prompt=True)
    ids = tokenizer(text, add_special_tokens=False).input_ids
    with torch.no_grad():
        made = model.eval().generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                                     max_new_tokens=options.new_tokens, do_sample=False, repetition_penalty=1.0,
                                     pad_token_id=0)[0, len(ids):].tolist()
    print(json.dumps({"prompt_ids": ids, "ids": made, "text": tokenizer.decode(made, skip_special_tokens=True),
                      "end_of_turn": tokenizer.eos_token, "transformers": transformers.__version__}))


if __name__ == "__main__":
    main()
