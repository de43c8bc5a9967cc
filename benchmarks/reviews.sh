#!/usr/bin/env bash
# Accuracy over five splits: the table in docs/results.md. Flags after the file are passed to fine_tune.py.
#   benchmarks/reviews.sh data/raw/amazon_cells_labelled.txt
#   LABEL_MAP="1-2=0,4-5=1" benchmarks/reviews.sh data/raw/instruments.csv --class_weights balanced
set -euo pipefail
data=$1
shift
for seed in 0 1 2 3 4; do
    out=models/reviews-$seed
    python preprocess.py --task reviews --data_path "$data" --seed $seed --output_path data/processed/reviews.pkl \
        ${LABEL_MAP:+--label_map "$LABEL_MAP"} >&2
    python fine_tune.py --data data/processed/reviews.pkl --seed $seed --output_path $out --overwrite "$@" >&2
    python evaluate_model.py --model_path $out --data data/processed/reviews.pkl >&2
done
python - <<'PYTHON'
import json
import statistics
from pathlib import Path

BASELINE = "tfidf_logistic_regression"


def models(evaluation):
    return {"tuned": evaluation["tuned"], **evaluation["baselines"]}


runs = [Path(f"models/reviews-{seed}") for seed in range(5)]
seconds = [json.loads((run / "run.json").read_text())["results"]["train_seconds"] for run in runs]
evaluations = [json.loads((run / "evaluation.json").read_text()) for run in runs]
print("| | tuned: mean ± standard deviation (lowest, highest) | TF-IDF + logistic regression |")
print("|---|---|---|")
for figure in ("accuracy", "macro_f1", "roc_auc", "expected_calibration_error"):
    cells = []
    for model in ("tuned", BASELINE):
        values = [models(evaluation)[model][figure]["value"] for evaluation in evaluations]
        spread = f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"
        cells.append(f"{spread} ({min(values):.4f}, {max(values):.4f})")
    print("|", " | ".join([figure.replace("_", " "), *cells]), "|")
print(f"\ntraining: {statistics.mean(seconds):.0f} s on average, at most {max(seconds):.0f} s")
PYTHON
