#!/bin/bash
# `--device cuda` of the program, with the library it loads for a device: trains as the CPU does, resumes to the same bits,
# scores alike, and says what it refuses.
#   device_program.sh SOLOPO PLUGIN SOURCE_FOLDER
set -euo pipefail
program=$(realpath "$1") plugin=$(realpath "$2") source_folder=$(realpath "$3")
tiny=$source_folder/examples/data/tiny
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$program" "$work/solopo"
cd "$work"

fail() { echo "device_program: $*" >&2; exit 1; }
quiet() { "$@" >log 2>&1 || { cat log >&2; fail "$* ended with $?"; }; }
# refused CODE TEXT COMMAND...: it ends with CODE and says TEXT
refused() {
  local code=$1 text=$2 status=0
  shift 2
  "$@" >log 2>&1 || status=$?
  [ $status = "$code" ] && grep -qF -- "$text" log && return
  cat log >&2
  fail "$* ended with $status, not $code, or did not say: $text"
}
# near KEY FILE FILE LIMIT: the numbers of KEY differ by no more than LIMIT, line by line
near() {
  paste -d ' ' <(grep -oE "\"$1\": *[-0-9.e]+" "$2" | cut -d : -f 2) <(grep -oE "\"$1\": *[-0-9.e]+" "$3" | cut -d : -f 2) |
    awk -v limit="$4" 'NF != 2 || ($1 - $2)^2 > limit^2 { bad = 1 } END { exit bad || NR == 0 }' || fail "$1 of $2 and $3 differ"
}

for i in 1 2 3; do
  printf '{"prompt": "Q: %s?", "prompt_long": "The key of %s is in the box. Q: %s?", "chosen": "box %s", "rejected": "no"}\n' $i $i $i $i
done >pairs.jsonl
train=(./solopo train --model "$tiny" --template plain --data pairs.jsonl --lr 1e-3 --batch-size 2 --max-steps 3 --seed 3)

refused 1 "built without CUDA" "${train[@]}" --device cuda --out none
cp "$plugin" libsolopo_cuda.so
refused 2 "tdpo1 compares whole distributions" "${train[@]}" --device cuda --objective tdpo1 --out none
refused 1 "the run needs" "${train[@]}" --device cuda --memory 0.001 --out none

quiet "${train[@]}" --objective solopo:dpo --dtype f32 --out cpu
quiet "${train[@]}" --objective solopo:dpo --device cuda --dtype f32 --out whole
near loss cpu/metrics.jsonl whole/metrics.jsonl 1e-4
near grad_norm cpu/metrics.jsonl whole/metrics.jsonl 1e-2
quiet "${train[@]}" --objective solopo:dpo --device cuda --dtype f32 --save-every 1 --out parts
rm -r parts/checkpoint-3 parts/model.safetensors
quiet "${train[@]}" --objective solopo:dpo --device cuda --dtype f32 --save-every 1 --out parts --resume
grep -q "resumed after step 2" log || fail "it did not go on from the checkpoint"
cmp whole/model.safetensors parts/model.safetensors || fail "the resumed run has other weights"
refused 1 "dtype: was f32, is bf16" "${train[@]}" --objective solopo:dpo --device cuda --out parts --resume

quiet "${train[@]}" --objective solopo:dpo --lora-rank 2 --dtype f32 --out cpu_lora
quiet "${train[@]}" --objective solopo:dpo --lora-rank 2 --device cuda --dtype f32 --out lora
near loss cpu_lora/metrics.jsonl lora/metrics.jsonl 1e-4
[ -f lora/adapter_model.safetensors ] || fail "no adapters were written"

quiet ./solopo score --model "$tiny" --template plain --in pairs.jsonl --dtype f32 --out cpu.jsonl
quiet ./solopo score --model "$tiny" --template plain --in pairs.jsonl --device cuda --dtype f32 --out device.jsonl
near ref_chosen_logps cpu.jsonl device.jsonl 1e-3
ask=(./solopo generate --model "$tiny" --raw --prompt "The key of the box is" --max-new-tokens 12)
for how in "" "--temperature 0.8 --samples 3 --seed 5"; do
  "${ask[@]}" $how --dtype f32 >cpu.txt 2>log || fail "$(cat log)"
  "${ask[@]}" $how --device cuda --dtype f32 >device.txt 2>log || fail "$(cat log)"
  diff cpu.txt device.txt || fail "generated other text"
done
quiet ./solopo data synth --count 8 --documents 6 --seed 3 --out qa.jsonl
ask=(./solopo eval --model "$tiny" --qa qa.jsonl --format musique --prompt-format synthetic --no-pooled --lengths 0 --questions 3 --max-new-tokens 4)
quiet "${ask[@]}" --dtype f32 --out cpu.json
quiet "${ask[@]}" --device cuda --dtype f32 --out device.json
near gold_logp_per_token cpu.json device.json 1e-3
"${train[@]}" --device cuda --out none --dry-run >plan.yaml 2>log || fail "$(cat log)"
./solopo train --config plan.yaml --dry-run >again.yaml 2>log || fail "$(cat log)"
grep -q '^dtype: bf16' again.yaml || fail "a dry run's file is not read again"
echo "device_program: passed"
