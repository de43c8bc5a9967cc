"""A search in one process: Optuna tries settings of a well-tuned Trainer, and the base model is loaded once.

python -m benchmarks.speed.opponents.optuna_search --data data/processed.pkl --model gpt2 --epochs 2 --trials 20 \
    --unfreeze_last 2 --learning_rate 1e-4 --output_path models/search
"""

import copy
import math
from dataclasses import replace

from benchmarks.speed.opponents.common import open_training, save, training_parser
from benchmarks.speed.opponents.trainer import well_tuned


def main() -> None:
    """Search where `fine_tune.py --search` does, around the given settings, and save the best trial's model."""
    parser = training_parser(__doc__)
    parser.add_argument("--trials", type=int, required=True)
    args = parser.parse_args()

    import optuna

    opened = open_training(args)
    best_loss, best = math.inf, opened

    def objective(trial: optuna.Trial) -> float:
        nonlocal best_loss, best
        tried = replace(opened, model=copy.deepcopy(opened.model))
        trainer = well_tuned(
            tried,
            args.output_path,
            num_train_epochs=args.epochs,
            learning_rate=trial.suggest_float(
                "learning_rate", args.learning_rate / 5, args.learning_rate * 10, log=True
            ),
            per_device_train_batch_size=trial.suggest_categorical("batch_size", (8, 16, 32)),
            weight_decay=trial.suggest_categorical("weight_decay", (0.0, 0.01, 0.1)),
            per_device_eval_batch_size=32,
            prediction_loss_only=True,
            seed=args.seed,
        )
        trainer.train()
        loss = trainer.evaluate()["eval_loss"]
        if loss < best_loss:
            best_loss, best = loss, tried
        return loss

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=args.seed))
    study.enqueue_trial({"learning_rate": args.learning_rate, "batch_size": args.batch_size, "weight_decay": 0.01})
    study.optimize(objective, n_trials=args.trials)
    save(best, args.output_path)


if __name__ == "__main__":
    main()
