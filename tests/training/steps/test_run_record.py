"""run.json: the recipe of the data, the flags as plain values, and the results of the run."""

import json
from pathlib import Path

from emoji_models import emoji_data
from small_models import processed_data, random_model

from utils.training.freezing import freeze_parameters
from utils.training.steps.run_record import build_run_record
from utils.training.train import TrainingOutcome

OUTCOME = TrainingOutcome(
    steps=6, epochs=2.0, seconds=1.26, metric="bits_per_byte", before=3.5, after=2.5, better=True, history=[]
)
FLAGS = {"output_path": Path("models/mine"), "seed": 7, "model_soup": 1, "unfreeze_last": None}


def record_of(data) -> dict:
    model = random_model("gpt2")
    freeze_parameters(model, 0, train_head=False)
    return build_run_record(data, "a" * 64, "tiny", FLAGS, model, OUTCOME, "fp32", "cpu")


def test_the_record_is_plain_json():
    record = record_of(processed_data(train=["a cat", "a dog"], validation=["a bird"]))
    assert json.loads(json.dumps(record)) == record
    assert record["arguments"] == FLAGS | {"output_path": "models/mine"}
    assert (record["task"], record["template"], record["base_model"]) == ("tweets", "{prompt}", "tiny")
    assert record["data"]["rows"] == {"train": 2, "validation": 1, "test": 0}
    assert (record["trainable_parameters"], record["total_parameters"]) == (32, 16_032)
    assert (record["seed"], record["processes"]) == (7, 1)
    assert record["results"] == {
        "validation_bits_per_byte_before": 3.5,
        "validation_bits_per_byte_after": 2.5,
        "epochs": 2.0,
        "steps": 6,
        "train_seconds": 1.3,
    }
    assert not record.keys() & {"target", "descriptions", "label_map"}


def test_a_model_that_writes_emoji_has_its_descriptions():
    data = emoji_data()
    record = record_of(data)
    assert (record["target"], record["split_by"]) == ("emoji", "description")
    assert record["targets"] == data.recipe["targets"]
    assert json.loads(json.dumps(record["descriptions"]))
