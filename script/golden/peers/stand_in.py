"""Stand-ins that let a trainer's own method run on numbers: a model whose log-probabilities are given, an accelerator.

A response of n tokens of log-probability logp is n tokens of logp / n behind a prompt of one token. Where a method
asks for logits, the vocabulary has two entries: the token, with logit x = logp / n, and all others, with ln(1 - e^x),
so that a log-softmax gives x back and its derivative by x is one.
"""
import types
from collections import defaultdict

import torch

PROMPT = 1
TOKEN = 1  # not 0, which some methods take for padding
ACCELERATOR = types.SimpleNamespace(
    device=torch.device("cpu"), use_distributed=False, gather=lambda x: x, gather_for_metrics=lambda x: x,
    reduce=lambda x, *_: x, unwrap_model=lambda m: m)


def rows(batch, roles):
    """(role, index) of each row: all of the first role, then all of the next."""
    return [(role, i) for role in roles for i in range(batch.size)]


def laid_out(batch, roles, of, prompt=PROMPT):
    """The values `of[role][i] / length` of every token, (rows, prompt + longest), 0 elsewhere; and the mask."""
    lengths = [int(batch.length[role][i]) for role, i in rows(batch, roles)]
    width = prompt + max(lengths)
    mask = torch.zeros(len(lengths), width, dtype=torch.long)
    values = []
    for row, ((role, i), n) in enumerate(zip(rows(batch, roles), lengths)):
        mask[row, prompt:prompt + n] = 1
        values.append(torch.cat([torch.zeros(prompt, dtype=batch.dtype), (of[role][i] / n).expand(n),
                                 torch.zeros(width - prompt - n, dtype=batch.dtype)]))
    return torch.stack(values), mask


def laid_out_tokens(entry, leaf, reference=False, prompt=PROMPT):
    """As laid_out, for one entry of record.TOKENS: its head's tokens, then its tail's. Row 0 chosen, row 1 rejected."""
    lengths = [entry[role]["length"] for role in ("chosen", "rejected")]
    width, values = prompt + max(lengths), []
    mask, squares = torch.zeros(2, width, dtype=torch.long), torch.zeros(2, width, dtype=torch.float64)
    for row, (role, n) in enumerate(zip(("chosen", "rejected"), lengths)):
        head, tail = leaf[role]
        if reference:
            head, tail = (torch.tensor(entry[role][k], dtype=torch.float64) for k in ("ref_head_logp", "ref_tail_logp"))
        m = entry[role]["head_length"]
        values.append(torch.cat([torch.zeros(prompt, dtype=torch.float64), (head / m).expand(m),
                                 (tail / max(1, n - m)).expand(n - m), torch.zeros(width - prompt - n, dtype=torch.float64)]))
        mask[row, prompt:prompt + n] = 1
        squares[row, prompt:prompt + n] = entry[role]["sum_log_square"] / n
    return torch.stack(values), mask, squares


class LogProbModel:
    """Gives token log-probabilities as TRL's fused head does."""
    training, is_gradient_checkpointing = True, False

    def __init__(self, values, log_sum_square=None):
        self.values, self.log_sum_square = values[:, 1:], log_sum_square

    def __call__(self, **_):
        zero = torch.zeros_like(self.values)
        squares = zero if self.log_sum_square is None else self.log_sum_square[:, 1:]
        return types.SimpleNamespace(log_probs=self.values, log_sum_sq_probs=squares, entropy=zero, mean_logits=zero,
                                     is_top1=zero.bool())


class LogitModel:
    """Gives logits; position t predicts token t + 1."""
    training, is_gradient_checkpointing = True, False

    def __init__(self, values, mask):
        x = torch.where(mask.bool(), values, torch.full_like(values, -1.0))
        logits = torch.stack([torch.log(-torch.expm1(x)), x], dim=-1)
        self.logits = torch.cat([logits[:, 1:], torch.zeros_like(logits[:, :1])], dim=1)

    def __call__(self, *_, **__):
        return types.SimpleNamespace(logits=self.logits)


def inputs_of(mask):
    return {"input_ids": torch.full_like(mask, TOKEN), "attention_mask": torch.ones_like(mask), "completion_mask": mask}


def trainer(**fields):
    """What their methods read beside the loss's own settings."""
    return types.SimpleNamespace(**{
        "accelerator": ACCELERATOR, "aux_loss_enabled": False, "is_encoder_decoder": False, "_total_train_tokens": 0,
        "_tp_size": 1, "_metrics": defaultdict(lambda: defaultdict(list)), "model": LogProbModel(torch.zeros(1, 2)),
        **fields})
