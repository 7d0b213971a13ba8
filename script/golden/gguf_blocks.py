#!/usr/bin/env python3
"""Writes tests/golden/io/blocks.gguf (each type we de-quantise, metadata of each value type) with the gguf package,
and blocks.json with the floats that the package makes of the blocks, as bits.

Needs: pip install gguf numpy
"""
import importlib.metadata
import json
import pathlib

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter
from gguf.constants import GGML_QUANT_SIZES, GGUFValueType
from gguf.quants import dequantize

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "io"
ROWS, COLUMNS = 3, 64


def finite_halves(random: np.random.Generator, count: int) -> np.ndarray:
    """Random bit patterns of finite halves, subnormals and both zeros among them."""
    bits = random.integers(0, 0x10000, count, dtype=np.uint16)
    bits[(bits & 0x7C00) == 0x7C00] ^= 0x4000
    bits[:4] = [0x0000, 0x8000, 0x0001, 0x83FF]
    return bits.view(np.float16)


def blocks_of(kind: Type, random: np.random.Generator) -> np.ndarray:
    """(ROWS, bytes of a row): random blocks with finite scales."""
    elements, size = GGML_QUANT_SIZES[kind]
    raw = random.integers(0, 256, (ROWS * COLUMNS // elements, size), dtype=np.uint8)
    halves = {Type.Q8_0: 1, Type.Q4_0: 1, Type.Q4_1: 2}.get(kind, 0)
    if halves:
        scales = finite_halves(random, len(raw) * halves).reshape(len(raw), halves)
        raw[:, : 2 * halves] = scales.view(np.uint8)
    if kind == Type.F16:
        raw = finite_halves(random, ROWS * COLUMNS).view(np.uint8)
    if kind == Type.BF16:
        bits = random.integers(0, 0x10000, ROWS * COLUMNS, dtype=np.uint16)
        bits[(bits & 0x7F80) == 0x7F80] ^= 0x4000
        raw = bits.view(np.uint8)
    if kind == Type.F32:
        raw = random.normal(size=ROWS * COLUMNS).astype(np.float32).view(np.uint8)
    return raw.reshape(ROWS, -1)


def main() -> None:
    random = np.random.default_rng(20250516)
    writer = GGUFWriter(GOLDEN / "blocks.gguf", "test")
    writer.add_uint8("v.u8", 250)
    writer.add_int8("v.i8", -7)
    writer.add_uint16("v.u16", 65000)
    writer.add_int16("v.i16", -30000)
    writer.add_uint32("v.u32", 4000000000)
    writer.add_int32("v.i32", -2000000000)
    writer.add_uint64("v.u64", 18000000000000000000)
    writer.add_int64("v.i64", -9000000000000000000)
    writer.add_float32("v.f32", 0.15625)
    writer.add_float64("v.f64", 1e300)
    writer.add_bool("v.bool", True)
    writer.add_string("v.string", "caf\u00e9")
    writer.add_key_value("v.strings", ["", "a", "\u4e2d"], GGUFValueType.ARRAY, GGUFValueType.STRING)
    writer.add_key_value("v.floats", [0.5, -1.25], GGUFValueType.ARRAY, GGUFValueType.FLOAT32)
    writer.add_key_value("v.ints", [1, -2, 3], GGUFValueType.ARRAY, GGUFValueType.INT32)
    expected = {}
    for kind in (Type.F32, Type.F16, Type.BF16, Type.Q8_0, Type.Q4_0, Type.Q4_1):
        raw = blocks_of(kind, random)
        values = dequantize(raw, kind).astype(np.float32).reshape(ROWS, COLUMNS)
        expected[kind.name] = values.view(np.uint32).reshape(-1).tolist()
        if kind in (Type.F32, Type.F16):
            plain = raw.view(np.float32 if kind == Type.F32 else np.float16)
            writer.add_tensor(kind.name, plain)
        else:
            writer.add_tensor(kind.name, raw, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    versions = {name: importlib.metadata.version(name) for name in ("gguf", "numpy")}
    document = {"made_by": "script/golden/gguf_blocks.py", "versions": versions, "shape": [ROWS, COLUMNS],
                "float_bits": expected}
    (GOLDEN / "blocks.json").write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
