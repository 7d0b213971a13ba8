"""Runs a benchmark program and checks its lines: --keys BENCH:KEY,... for lines of that `bench` (empty: any line)."""
import json
import subprocess
import sys


def main():
    split = sys.argv.index("--command")
    wanted, command = sys.argv[2:split], sys.argv[split + 1:]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for want in wanted:
        bench, _, keys = want.partition(":")
        found = [line for line in lines if (not bench or line.get("bench") == bench) and set(keys.split(",")) <= line.keys()]
        if not found:
            sys.exit(f"no line of '{bench}' with {keys} in:\n{done.stdout}")
        for line in found:
            for key, value in line.items():
                numbers = value if key.endswith("rounds") else []
                if not all(isinstance(x, float) and x >= 0 for x in numbers):
                    sys.exit(f"{key} is {value} in {line}")


main()
