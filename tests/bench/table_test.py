"""benchmarks/table.py on lines whose ratios are known, and script/bench's refusals."""
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

root = Path(sys.argv.pop(1))
sys.path.insert(0, str(root / "benchmarks"))
import table  # noqa: E402


def scheme(name, prompt, predicted, rounds):
    return {"scheme": name, "prompt": prompt, "measured_over_v": 0, "predicted_over_v": predicted, "rounds": rounds}


def product(library, ours, shape, rounds):
    return {"bench": "product", "library": library, "ours": ours, "shape": shape, "times": 2, "flops": 4e9, "rounds": rounds}


class TableTest(unittest.TestCase):
    def test_best_library_is_the_one_that_is_quickest_over_all_shapes(self):
        figures = table.Figures([product("ours", True, "a", [1, 1, 1]), product("ours", True, "b", [1, 1, 1]),
                                 product("x", False, "a", [.1, .1, .1]), product("x", False, "b", [9, 9, 9]),
                                 product("y", False, "a", [.9, .8, 1]), product("y", False, "b", [.9, .8, 1])])
        self.assertAlmostEqual(figures.values["gemm_fraction_of_best_blas"], .9)
        self.assertEqual(figures.spread["gemm_fraction_of_best_blas"], [.8, 1])
        self.assertIs(figures.met("gemm_fraction_of_best_blas"), False)
        self.assertAlmostEqual(figures.machine()["product_gflops"]["ours"], 4)
        self.assertNotIn("bf16_product_gflops", figures.machine())

    def test_rates_of_bf16_products_stand_beside_those_of_float32(self):
        line = {"library": "x", "shape": "a", "times": 2, "flops": 4e9, "rounds": [.5, .5, .5]}
        figures = table.Figures([dict(line, bench="bf16_product"), dict(line, bench="bf16_product", times=1, flops=8e9)])
        self.assertAlmostEqual(figures.machine()["bf16_product_gflops"]["x"], 16e9 / 1.5 / 1e9)
        self.assertIn("bfloat16 products: x 10.7", table.table(table.Figures([
            dict(line, bench="bf16_product", flops=5.35e9),
            {"bench": "machine", "processor": "p", "cores": 2, "threads": 2, "isa": [], "compiled_for": [],
             "matrix_library": "m", "memory_bytes": 1}])))

    def test_ratio_is_taken_round_by_round_and_then_the_median(self):
        line = {"bench": "attention", "tokens": 1024, "forward_flops": 1, "backward_flops": 2, "product_flops": 4,
                "forward_rounds": [1, 2, 4], "backward_rounds": [1, 2, 4], "product_rounds": [2, 4, 16]}
        figures = table.Figures([line])
        self.assertEqual(figures.values["attention_fwd_fraction_of_gemm"], {"1024": .5})
        self.assertEqual(figures.spread["attention_bwd_fraction_of_gemm"], {"1024": [1, 2]})
        self.assertIs(figures.met("attention_fwd_fraction_of_gemm", "1024"), False)
        self.assertIs(figures.met("attention_bwd_fraction_of_gemm", "1024"), True)

    def test_floor_of_a_step(self):
        line = {"bench": "step", "recompute": False, "clock": "wall", "threads": 2, "tokens": 1024, "seconds": 10,
                "dtype": "float32", "lora_rank": 0, "mlp_rows": 0, "tokens_per_second": 102.4, "peak_rss": 11, "model_bytes": 10, "floor_flops": 80, "product_flops": 20,
                "product_seconds": 2}
        figures = table.Figures([line, {**line, "lora_rank": 16, "tokens_per_second": 200}])
        self.assertEqual(figures.values["tokens_per_second"], {"1024": 102.4})
        self.assertEqual(figures.values["tokens_per_second_lora"], {"1024": 200})
        self.assertEqual(figures.values["step_fraction_of_floor"], {"1024": .8})
        self.assertEqual(figures.values["peak_memory_over_model"], {"1024": 1.1})
        self.assertIsNone(figures.values["step_fraction_of_floor_bf16"])
        self.assertIn("not measured", figures.reasons["step_fraction_of_floor_bf16"])
        figures = table.Figures([line, {**line, "dtype": "bf16", "seconds": 4, "product_seconds": .5, "tokens_per_second": 256}])
        self.assertEqual(figures.values["step_fraction_of_floor_bf16"], {"1024": .5})
        self.assertEqual(figures.values["tokens_per_second_bf16"], {"1024": 256})
        self.assertEqual(figures.values["tokens_per_second"], {"1024": 102.4})

    def test_schemes_against_the_model(self):
        lines = [scheme("V", 4096, 1, [10, 10, 10]), scheme("V+PS", 4096, .5, [5, 5, 5]),
                 scheme("S", 4096, .7, [7.2, 7.2, 7.2]), scheme("S+PS", 4096, .6, [6.6, 6.6, 6.6]),
                 scheme("S+PS+RO", 4096, .3, [3, 3, 3])]
        figures = table.Figures(lines)
        self.assertEqual(figures.values["prefix_speedup_over_predicted"], {"4096": 1})
        self.assertIs(figures.met("solopo_over_long_measured", "4096"), True)
        self.assertIs(figures.met("solopo_over_shared_long_measured", "4096"), False)
        self.assertAlmostEqual(figures.values["response_only_over_shared_long"]["4096"], .6)
        self.assertIsNone(figures.values["two_pass_overhead"])
        self.assertIn("not measured", figures.reasons["two_pass_overhead"])
        figures = table.Figures(lines + [scheme("S+PS, two passes", 4096, .64, [7.26, 7.26, 7.26])])
        self.assertAlmostEqual(figures.values["two_pass_overhead"]["4096"], .1)
        self.assertIsNone(figures.met("two_pass_overhead", "4096"))  # the goal is for 8K

    def test_head_memory_peers_and_the_rest(self):
        head = {"bench": "head", "rows": 400, "weight_bytes": 9, "minimum_weight_bytes": 6, "temporary_bytes": 1, "naive_bytes": 100}
        record = {"bench": "record", "prompt": 8192, "tokens": 12, "needed_tokens": 10}
        figures = table.Figures([
            head, dict(record, scheme="naive", rounds=[6]), dict(record, scheme="S+PS", tokens=10, rounds=[3]),
            *({"bench": "context", "shape": "smollm2-135m", "way": way, "predicted_longest": n}
              for way, n in (("naive", 10), ("unshared", 40), ("shared", 50))),
            {"bench": "torch_pair", "dtype": "float32", "tokens": 1024, "ours_seconds": 1, "torch_seconds": 2},
            {"bench": "generation", "dtype": "float32", "samples": 1, "prompt": 100, "steps": 10, "rounds": [4], "reading_rounds": [2], "weights_rounds": [.3]},
            {"bench": "generation", "dtype": "float32", "samples": 8, "prompt": 100, "steps": 10, "rounds": [8], "reading_rounds": [2], "weights_rounds": [.3]},
            {"bench": "generation", "dtype": "bf16", "samples": 64, "prompt": 100, "steps": 10, "rounds": [4], "reading_rounds": [2], "weights_rounds": [.3]},
            {"bench": "generation_pair", "samples": 8, "ours_seconds": 2, "torch_seconds": 5},
            {"bench": "torch_pair", "dtype": "bf16", "tokens": 1024, "ours_seconds": 1, "torch_seconds": 1.5},
            {"bench": "trl_round", "prompt": 2048, "ours": {"V+PS": 1, "S+PS": 2}, "trl": {"dpo": 8, "solopo": 12}},
            {"bench": "rows", "kernel": "k", "rounds": [2], "copy_rounds": [1]}])
        values = figures.values
        self.assertEqual((values["head_bytes_over_minimum"], values["head_temp_over_naive"]), (1.5, .01))
        self.assertEqual(values["best_over_naive"], {"8192": 2})
        self.assertEqual(values["padding_tokens"], {"8192": 2})
        self.assertEqual(values["longest_context_ratio"], {"unshared": 4, "shared": 5})
        self.assertEqual((figures.met("longest_context_ratio", "unshared"), figures.met("longest_context_ratio", "shared")), (True, False))
        self.assertEqual((values["vs_torch_f32"], values["vs_torch_bf16"]), ({"1024": 2}, {"1024": 1.5}))
        self.assertIs(figures.met("vs_torch_bf16", "1024"), False)
        self.assertAlmostEqual(values["generation_fraction_of_read"], .75)
        self.assertEqual(values["generated_tokens_per_second_bf16"], {"64": 160})
        self.assertNotIn("64", values["generated_tokens_per_second"])
        self.assertEqual(values["prompt_tokens_per_second"], {"100": 50})
        self.assertEqual(values["generated_tokens_per_second"], {"1": 2.5, "8": 10})
        self.assertEqual(values["vs_torch_generation"], {"8": 2.5})
        self.assertEqual((values["vs_trl_dpo"], values["vs_trl_solopo"], values["vs_trl_written_solopo"]), ({"2048": 8}, {"2048": 4}, {"2048": 6}))
        self.assertEqual((figures.met("vs_trl_dpo", "2048"), figures.met("vs_trl_solopo", "2048")), (True, True))
        wider = table.Figures([dict.fromkeys(("processor", "cores", "threads", "compiled_for", "matrix_library", "memory_bytes"), 1) |
                               {"bench": "machine", "isa": ["avx512f"]},
                               {"bench": "trl_round", "prompt": 2048, "ours": {"V+PS": 1, "S+PS": 2}, "trl": {"dpo": 8, "solopo": 12}}])
        self.assertEqual((wider.met("vs_trl_dpo", "2048"), wider.met("vs_trl_solopo", "2048")), (True, False))
        self.assertEqual(values["row_kernel_gbps_fraction"], {"k": .5})

    def test_every_key_is_in_the_json_with_a_value_or_a_reason(self):
        figures = table.Figures([{"bench": "failed", "keys": ["vs_trl_dpo"], "reason": "no python"}])
        made = json.loads(json.dumps(table.as_json(figures)))
        for key in table.ROWS:
            self.assertTrue(made[key] is None and made["reasons"][key], key)
        self.assertEqual(made["reasons"]["vs_trl_dpo"], "no python")
        self.assertIn("| no python |", table.table(figures))

    def test_json_is_written_whole(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bench.json"
            table.write_json(path, {"a": 1})
            self.assertEqual(json.loads(path.read_text()), {"a": 1})
            self.assertEqual([p.name for p in Path(folder).iterdir()], ["bench.json"])

    def test_script_refuses_what_it_does_not_know(self):
        for arguments, words in ((["--only", "speed"], "no key speed"), (["--cpu-time", "--threads", "2"], "needs --threads 1")):
            done = subprocess.run([sys.executable, str(root / "script/bench"), *arguments], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2)
            self.assertIn(words, done.stderr)


unittest.main()
