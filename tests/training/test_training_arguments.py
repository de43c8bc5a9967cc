"""The settings of a training as Hugging Face's Trainer takes them."""

from dataclasses import replace

import torch
from small_models import END, random_model, tiny_tokenizer
from training_runs import SETTINGS

from utils.models.checkpoint import Trained
from utils.training.objectives import language_modeling
from utils.training.training_arguments import training_arguments


def test_one_process_uses_one_of_several_gpus(tmp_path, monkeypatch):
    objective = language_modeling(Trained(random_model("llama"), tiny_tokenizer(), {}), [[END]])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    settings = replace(SETTINGS, device="cuda")
    arguments = training_arguments(settings, objective, tmp_path, validates=False, eval_on_start=False, saves=False)
    assert arguments.n_gpu == 1
    assert arguments.train_batch_size == SETTINGS.batch_size
