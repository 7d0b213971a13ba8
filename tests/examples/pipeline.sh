#!/bin/bash
# The whole job at toy size: questions, contexts, pairs, training (stopped and resumed), evaluation, comparison, report.
#   pipeline.sh SOLOPO SOURCE_FOLDER
set -euo pipefail
solopo=$1
tiny=$2/examples/data/tiny
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
format=(--prompt-format synthetic --no-pooled)

fail() { echo "pipeline: $*" >&2; exit 1; }
quiet() { "$@" >log 2>&1 || { cat log >&2; fail "$* ended with $?"; }; }

quiet "$solopo" data synth --count 120 --documents 40 --seed 3 --out train.qa.jsonl
quiet "$solopo" data synth --count 60 --purpose test --seed 3 --out test.qa.jsonl
quiet "$solopo" data build --qa train.qa.jsonl --format musique --model "$tiny" "${format[@]}" --short-tokens 64 \
  --long-tokens 256 --seed 3 --out contexts.jsonl
quiet "$solopo" data sample --model "$tiny" --in contexts.jsonl --from short --n 16 --temperature 0.85 --max-new-tokens 4 \
  --limit 40 --seed 3 --out pairs.jsonl
[ "$(wc -l <pairs.jsonl)" = 40 ] || fail "sampled $(wc -l <pairs.jsonl) records, not 40"

# The same seed gives the same bytes.
quiet "$solopo" data sample --model "$tiny" --in contexts.jsonl --from short --n 16 --temperature 0.85 --max-new-tokens 4 \
  --limit 40 --seed 3 --out again.jsonl
cmp pairs.jsonl again.jsonl || fail "the same seed gave other pairs"

train=("$solopo" train --model "$tiny" --data pairs.jsonl --lr 1e-3 --batch-size 4 --max-steps 10
  --save-every 4 --seed 3)
quiet "${train[@]}" --objective solopo:dpo --eval-data pairs.jsonl --eval-every 5 --out whole
grep -q '"solo_ra/gap":-\{0,1\}0\.0[,}]' <(head -n 1 whole/metrics.jsonl) || {
  head -n 1 whole/metrics.jsonl >&2
  fail "the first gap of SoLo-DPO is not exactly 0"
}

"$solopo" --version >version.txt
if grep -q '^bf16 products: *yes' version.txt; then
  quiet "${train[@]}" --objective solopo:dpo --dtype bf16 --out rounded
  quiet "${train[@]}" --objective solopo:dpo --dtype bf16 --out rounded_again
  cmp rounded/model.safetensors rounded_again/model.safetensors || fail "bf16 gave other bits the second time"
  quiet "${train[@]}" --objective solopo:dpo --dtype f32 --out float32
  ! cmp -s rounded/model.safetensors float32/model.safetensors || fail "bf16 gave float32's bits"
else
  status=0
  "${train[@]}" --objective solopo:dpo --dtype bf16 --out rounded >log 2>&1 || status=$?
  { [ $status = 2 ] && grep -q 'needs a processor with AVX512_BF16' log; } || fail "bf16 was not refused: $(cat log)"
fi

# Killed without warning and resumed: the same weights, bit for bit.
status=0
"${train[@]}" --objective solopo:dpo --eval-data pairs.jsonl --eval-every 5 --out parts >log 2>&1 &
child=$!
for _ in $(seq 600); do
  if ls parts/checkpoint-4 >/dev/null 2>&1 || ! kill -0 $child 2>/dev/null; then break; fi
  sleep 0.02
done
kill -9 $child 2>/dev/null || true
wait $child 2>/dev/null || status=$?
quiet "${train[@]}" --objective solopo:dpo --eval-data pairs.jsonl --eval-every 5 --out parts --resume
cmp whole/model.safetensors parts/model.safetensors || fail "the resumed run has other weights (first part ended with $status)"

# What a dry run prints is a file of the same run.
options=(train --model "$tiny" --data pairs.jsonl --objective solopo:orpo --lr 1e-3 --batch-size 16 --epochs 0.4 --warmup 0.3 --seed 3)
quiet "$solopo" "${options[@]}" --out "by options"
"$solopo" "${options[@]}" --out "from file: x" --dry-run >job.yaml 2>log || { cat log >&2; fail "the dry run failed"; }
quiet "$solopo" train --config job.yaml
cmp "by options/model.safetensors" "from file: x/model.safetensors" || fail "the dry run's file is another run: $(cat job.yaml)"

# A context that the pairs do not belong to is refused.
status=0
"${train[@]}" --objective orpo --context long --out refused >log 2>&1 || status=$?
[ $status = 3 ] || { cat log >&2; fail "pairs sampled from the short prompt were taken for Long-PO (exit code $status)"; }
grep -q expand log || fail "the refusal does not name --context expand"

# train_run NAME CONTEXT OBJECTIVE [OPTION...]
for run in "orpo short orpo" "expand expand orpo" "longpo short longpo" "solo short solopo:orpo --stop-short-gradient"; do
  read -r name context objective options <<<"$run"
  # shellcheck disable=SC2086
  quiet "$solopo" train --model "$tiny" --data pairs.jsonl --context "$context" --objective "$objective" $options --lr 1e-3 \
    --batch-size 8 --max-steps 3 --seed 3 --out "$name"
done

for model in start solo; do
  folder=$model
  if [ $model = start ]; then folder=$tiny; fi
  quiet "$solopo" eval --model "$folder" --qa test.qa.jsonl --format musique "${format[@]}" --lengths 64,128 --questions 30 \
    --max-new-tokens 4 --seed 3 --out $model.json
done
quiet "$solopo" compare start.json solo.json --out difference.json
quiet "$solopo" score --model "$tiny" --in pairs.jsonl --out scored.jsonl
grep -q ref_chosen_logps_long <(head -n 1 scored.jsonl) || fail "score gives no log-probability under the long prompt"
quiet "$solopo" inspect solo
quiet "$solopo" generate --model solo --prompt "$(printf '117amber fox not also\n\n117')" --max-new-tokens 4
quiet "$solopo" report --title Toy --eval start=start.json --eval solo=solo.json --train solo=solo/metrics.jsonl \
  --out report.html --metrics-out metrics.jsonl
grep -q '</svg>' report.html || fail "the report has no chart"
if grep -qE '(src|href)="https?:' report.html; then fail "the report loads something from elsewhere"; fi

# Adapters, killed and resumed; used as they are and merged.
lora=("${train[@]}" --objective solopo:dpo --lora-rank 4 --lora-targets q_proj,v_proj,down_proj)
quiet "${lora[@]}" --out lora
quiet "${lora[@]}" --out lora_parts
rm -r lora_parts/checkpoint-10 lora_parts/adapter_model.safetensors
quiet "${lora[@]}" --out lora_parts --resume
cmp lora/adapter_model.safetensors lora_parts/adapter_model.safetensors || fail "the resumed adapters are other ones"
quiet "$solopo" inspect lora
grep -q 'adapters: *rank 4, alpha 8 on q_proj v_proj down_proj' log || fail "inspect does not tell the adapters"
quiet "$solopo" merge --model "$tiny" --adapter lora --out merged
quiet "$solopo" score --model "$tiny" --adapter lora --in pairs.jsonl --out adapted.jsonl
quiet "$solopo" score --model merged --in pairs.jsonl --out merged.jsonl
cmp adapted.jsonl merged.jsonl || fail "the merged model is not the adapted one"
if cmp -s adapted.jsonl scored.jsonl; then fail "the adapters change nothing"; fi
quiet "$solopo" generate --model "$tiny" --adapter lora --prompt "$(printf '117amber fox not also\n\n117')" --max-new-tokens 4
quiet "$solopo" eval --model "$tiny" --adapter lora --qa test.qa.jsonl --format musique "${format[@]}" --lengths 64 --questions 10 \
  --max-new-tokens 4 --seed 3 --out lora.json
grep -q 'with lora' lora.json || fail "the evaluation does not name the adapters"
quiet "$solopo" data sample --model "$tiny" --adapter lora --in contexts.jsonl --n 4 --temperature 0.85 --max-new-tokens 4 \
  --limit 2 --seed 3 --out more.jsonl
status=0
"$solopo" generate --model "$tiny" --adapter merged --prompt 117 >log 2>&1 || status=$?
[ $status = 4 ] || { cat log >&2; fail "a model was taken for adapters (exit code $status)"; }
echo "pipeline: passed"
