#!/usr/bin/env bash
# Validation bits per byte by trained parts: the table in docs/results.md. `make demo` creates the pickle.
#   benchmarks/unfreezing.sh data/processed/demo.pkl
set -euo pipefail
data=$1
echo "| blocks | head | rate | parameters trained | seconds | bits per byte |"
echo "|---|---|---|---|---|---|"
for blocks in 1 2 4 8 all; do
    for head in "" --train_head; do
        rate=5e-4
        if [[ -n $head ]]; then rate=2e-4; fi
        if [[ $blocks == all ]]; then rate=1e-4; fi
        python fine_tune.py --data "$data" --epochs 1 --unfreeze_last $blocks $head --learning_rate $rate \
            --output_path models/unfreezing --overwrite >&2
        python - "$blocks" "${head:+yes}" $rate <<'PYTHON'
import json, sys
run = json.load(open("models/unfreezing/run.json"))
results = run["results"]
cells = [*sys.argv[1:], f"{run['trainable_parameters']:,}", f"{results['train_seconds']:.0f}"]
print("|", " | ".join([*cells, f"{results['validation_bits_per_byte_after']:.4f}"]), "|")
PYTHON
    done
done
