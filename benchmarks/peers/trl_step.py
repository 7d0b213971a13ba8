#!/usr/bin/env python3
"""Seconds that TRL takes for one preference record on the CPU: its own DPOTrainer, and SoLoPO written its way.

    pip install torch transformers trl
    benchmarks/peers/trl_step.py --prompt 2048 --repetitions 5
    benchmarks/peers/trl_step.py --prompt 2048 --serve     # one measurement a line read: dpo or solopo

dpo: DPOTrainer.training_step of TRL, forward and backward of one pair, as it comes but in float32 and without running
layers again in the backward (gradient_checkpointing off: faster). A reference model runs every step, as by default; the
optimiser does not. solopo: the same model and head with SoLoPO-DPO's loss: chosen and rejected under the short prompt
as one padded batch, chosen under the long prompt as another, the reference on all three. SmolLM2-135M's shape with
random weights. The first line printed is {"ready": true, ...}.
"""
import argparse
import copy
import json
import os
import sys
import tempfile
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompt", type=int, default=2048)
    parser.add_argument("--short", type=int, default=1024)
    parser.add_argument("--response", type=int, default=200)
    parser.add_argument("--layers", type=int, default=30, help="fewer, for a quick try")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help="measure once for each line read from standard input")
    return parser.parse_args()


options = arguments()
os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import torch  # noqa: E402  after OMP_NUM_THREADS
import torch.nn.functional as F  # noqa: E402
import transformers  # noqa: E402
import trl  # noqa: E402
from datasets import Dataset  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast  # noqa: E402

VOCABULARY = 49152


def tokenizer():
    """A word a token, so that lengths are what they are asked to be."""
    names = ["<pad>", "<end>"] + [f"t{i}" for i in range(2, VOCABULARY)]
    made = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<pad>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="<end>")


def words(n, seed):
    ids = torch.randint(2, VOCABULARY, (n,), generator=torch.Generator().manual_seed(seed)).tolist()
    return " ".join(f"t{i}" for i in ids)


def load_model():
    config = LlamaConfig(vocab_size=VOCABULARY, hidden_size=576, intermediate_size=1536,
                         num_hidden_layers=options.layers, num_attention_heads=9, num_key_value_heads=3,
                         max_position_embeddings=65536, rms_norm_eps=1e-5, tie_word_embeddings=True, pad_token_id=0,
                         eos_token_id=1, rope_parameters={"rope_type": "default", "rope_theta": 100000.0})
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="sdpa")


class Trainer:
    def __init__(self, folder):
        model = load_model()
        record = {"prompt": words(options.prompt, 1) + " ", "chosen": words(options.response - 1, 2),
                  "rejected": words(options.response - 1, 3)}  # an end of text is added to each response
        config = trl.DPOConfig(output_dir=folder, per_device_train_batch_size=1, use_cpu=True, bf16=False, fp16=False,
                               gradient_checkpointing=False, max_length=None, report_to=[], disable_tqdm=True)
        self.trainer = trl.DPOTrainer(model=model, ref_model=copy.deepcopy(model), args=config,
                                      train_dataset=Dataset.from_list([record]), processing_class=tokenizer())
        self.trainer.current_gradient_accumulation_steps = 1
        self.trainer.model.train()
        self.batch = next(iter(self.trainer.get_train_dataloader()))
        wanted = options.prompt + options.response
        if self.batch["input_ids"].shape != (2, wanted):
            raise SystemExit(f"TRL made {tuple(self.batch['input_ids'].shape)} tokens of a record of 2 x {wanted}")
        prompt = torch.randint(2, VOCABULARY, (2, options.short), generator=torch.Generator().manual_seed(4))
        prompt[1] = prompt[0]
        answers = self.batch["input_ids"][:, options.prompt:]
        self.short = torch.cat([prompt, answers], 1)

    def logps(self, model, tokens):
        labels = tokens.clone()
        labels[:, :-options.response] = -100
        out = model(input_ids=tokens, attention_mask=torch.ones_like(tokens), labels=labels, use_cache=False,
                    fused_lm_head=True)
        return out.log_probs[:, -tokens.shape[1] + 1:].sum(1)

    def dpo(self):
        return self.trainer.training_step(self.trainer.model, dict(self.batch)).item()

    def solopo(self):
        model, reference, beta, alpha = self.trainer.model, self.trainer.ref_model, 0.1, 1.0
        long_chosen = self.batch["input_ids"][:1]
        short, long = self.logps(model, self.short), self.logps(model, long_chosen)
        with torch.no_grad():
            short_reference = self.logps(reference, self.short)
            long_reference = self.logps(reference, long_chosen)
        reward = beta * (short - short_reference)
        loss = -F.logsigmoid(reward[0] - reward[1]) + alpha * (beta * (long - long_reference)[0] - reward[0]).abs()
        loss.backward()
        return loss.item()

    def measure(self, what):
        self.trainer.model.zero_grad(set_to_none=True)
        start, start_cpu = time.perf_counter(), time.process_time()
        loss = {"dpo": self.dpo, "solopo": self.solopo}[what]()
        return {"program": "trl", "what": what, "prompt": options.prompt, "short": options.short,
                "response": options.response, "threads": options.threads,
                "seconds": round(time.perf_counter() - start, 4),
                "cpu_seconds": round(time.process_time() - start_cpu, 4), "loss": loss}


def main():
    torch.set_num_threads(options.threads)
    say = lambda record: print(json.dumps(record), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(folder)
        say({"ready": True, "program": "trl", "trl": trl.__version__, "torch": torch.__version__,
             "transformers": transformers.__version__, "isa": torch.backends.cpu.get_cpu_capability()})
        if options.serve:
            for line in sys.stdin:
                say(trainer.measure(line.strip()))
        else:
            for what in ("dpo", "solopo"):
                trainer.measure(what)
            for _ in range(options.repetitions):
                for what in ("dpo", "solopo"):
                    say(trainer.measure(what))


if __name__ == "__main__":
    main()
