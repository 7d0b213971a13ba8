#!/usr/bin/env python3
"""Says how the golden files differ from the committed ones, and puts back those that differ in last digits only.

    script/golden/same_numbers.py [--keep]

Prints each changed file as `same numbers` (every number within 1e-9 max(1, |b|) of the committed one, or 1e-6 in
.safetensors, which hold float32, and 1e-4 in smollm2's, which a float32 model gives; everything else equal) or as `differs`, with the first place. With --keep nothing is
put back. Exit status 1 if a file differs or is new. Needs numpy and safetensors for .safetensors.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def git(*arguments):
    return subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True).stdout


def first_difference(a, b, where=""):
    """None, or where two documents differ by more than last digits."""
    numbers = all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in (a, b))
    if numbers and abs(a - b) <= 1e-9 * max(1, abs(b)):
        return None
    if isinstance(a, dict) and isinstance(b, dict) and list(a) == list(b):
        inner = ((f"{where}.{k}", a[k], b[k]) for k in a)
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        inner = ((f"{where}[{i}]", x, y) for i, (x, y) in enumerate(zip(a, b)))
    else:
        return None if a == b and type(a) is type(b) else f"{where or 'the whole'}: {str(a)[:60]}, was {str(b)[:60]}"
    return next((found for found in (first_difference(x, y, at) for at, x, y in inner) if found), None)


def tensors(data):
    from safetensors import safe_open
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(data)
        file.flush()
        with safe_open(file.name, "numpy") as f:
            return {name: f.get_tensor(name) for name in f.keys()}


def difference(path, new, old):
    if path.suffix == ".safetensors":
        import numpy as np
        a, b = tensors(new), tensors(old)
        if {k: (v.shape, v.dtype) for k, v in a.items()} != {k: (v.shape, v.dtype) for k, v in b.items()}:
            return "names, shapes or types"
        tolerance = 1e-4 if path.parent.name == "smollm2" else 1e-6
        return next((name for name in a if a[name].dtype.kind != "f" and not np.array_equal(a[name], b[name])
                     or not np.allclose(a[name], b[name], rtol=tolerance, atol=tolerance)), None)
    if path.suffix == ".json":
        return first_difference(json.loads(new), json.loads(old))
    if path.suffix == ".jsonl":
        return first_difference(*([json.loads(line) for line in x.decode().splitlines()] for x in (new, old)))
    return "bytes"


def main():
    lines = git("status", "--porcelain", "--untracked-files=all", "--", "tests/golden").decode().splitlines()
    bad = 0
    for state, name in ((line[:2], line[3:]) for line in lines):
        if "M" not in state:
            print(f"differs       {name}: {'new' if '?' in state else 'gone'}")
            bad += 1
            continue
        path = ROOT / name
        found = difference(path, path.read_bytes(), git("show", f"HEAD:{name}"))
        print(f"differs       {name}: {found}" if found else f"same numbers  {name}")
        bad += found is not None
        if not found and "--keep" not in sys.argv[1:]:
            git("checkout", "HEAD", "--", name)
    print(f"{len(lines)} golden files changed, {bad} in more than last digits")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
