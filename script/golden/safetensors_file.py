#!/usr/bin/env python3
"""Writes tests/golden/io/small.safetensors with the reference writer; ours must write the same bytes.

Needs: pip install safetensors torch numpy
"""
import json
import pathlib

import safetensors
import torch
from safetensors.torch import save_file

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "io"

DTYPES = ["bool", "uint8", "int8", "float8_e5m2", "float8_e4m3fn", "int16", "uint16", "float16", "bfloat16", "int32",
          "uint32", "float32", "complex64", "float64", "int64", "uint64"]


def main() -> None:
    tensors = {}
    for number, name in enumerate(DTYPES):
        dtype = getattr(torch, name)
        data = (torch.arange(48) % 2 if name == "bool" else torch.arange(48) * (number + 3) % 120).to(torch.uint8)
        # Names run against the order of types, so that the writer's sorting shows.
        tensors[f"{chr(ord('a') + number)}.{name}"] = data.view(dtype)
    tensors["weight"] = torch.tensor([[1.0, -2.5, 3.25], [0.0, 1e-40, 65504.0]], dtype=torch.float32)
    tensors["a.weight"] = torch.tensor([[1.0, -2.5], [0.15625, 3.0]], dtype=torch.float16)
    tensors["b.weight"] = torch.tensor([1.0, -2.5, 3.0], dtype=torch.bfloat16)
    tensors["scalar"] = torch.tensor(0.5, dtype=torch.float64)
    tensors["empty"] = torch.zeros((0, 4), dtype=torch.float32)
    tensors['odd "name"\n/\u00e9\x7f'] = torch.tensor([7, 8, 9], dtype=torch.uint8)
    save_file(tensors, GOLDEN / "small.safetensors", metadata={"format": "pt"})
    made_with = {"safetensors": safetensors.__version__, "torch": torch.__version__.split("+")[0]}
    (GOLDEN / "small.safetensors.json").write_text(
        json.dumps({"made_by": "script/golden/safetensors_file.py", "versions": made_with}, indent=1) + "\n")


if __name__ == "__main__":
    main()
