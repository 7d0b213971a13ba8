#!/usr/bin/env python3
"""Writes tests/golden/train/adamw.json: float64 AdamW steps of PyTorch that the optimiser's test repeats."""
import json
import pathlib

import torch

STEPS, SIZE = 8, 6
CASES = [
    {"lr": 1e-2, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.0},
    {"lr": 3e-2, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6, "weight_decay": 0.1},
]


def run(case):
    generator = torch.Generator().manual_seed(7)
    weights = torch.randn(SIZE, generator=generator, dtype=torch.float64).float().double()
    gradients = torch.randn(STEPS, SIZE, generator=generator, dtype=torch.float64).float().double()
    parameter = torch.nn.Parameter(weights.clone())
    optimizer = torch.optim.AdamW([parameter], lr=case["lr"], betas=(case["beta1"], case["beta2"]),
                                  eps=case["epsilon"], weight_decay=case["weight_decay"])
    path = []
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
        path.append(parameter.detach().tolist())
    return {**case, "weights": weights.tolist(), "gradients": gradients.tolist(), "path": path}


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    out = {"versions": {"torch": torch.__version__}, "cases": [run(case) for case in CASES]}
    (root / "tests/golden/train/adamw.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
