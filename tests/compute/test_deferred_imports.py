import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers

ROOT = Path(__file__).parents[2]

BEGIN = """
import json, sys
from utils.compute.deferred_imports import defer_imports, import_meta_kernels
defer_imports()
import torch
"""
# One module from deep within each package that no model needs.
HEAVY = (
    "accelerate.accelerator",
    "datasets.arrow_dataset",
    "pandas.core.frame",
    "peft.peft_model",
    "scipy.optimize._optimize",
    "sklearn.base",
    "sympy.core.expr",
    "torch._decomp.decompositions",
    "torch._dynamo.convert_frame",
    "torch.distributed.checkpoint.state_dict",
    "torch.distributed.fsdp._flat_param",
    "torch.distributed.tensor._ops",
    "torch.fx.experimental.symbolic_shapes",
)


def values_of(code: str) -> list | bool:
    """Run the code after `BEGIN` in a new process, and return what it prints last, JSON."""
    command = [sys.executable, "-c", BEGIN + code]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_a_model_is_opened_and_used_without_compilers_and_distributed_tensors(tmp_path):
    """Fails where a new version of transformers or PyTorch needs another module: add its name to `NAMES`."""
    small = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 8}
    llama = transformers.LlamaConfig(**small, vocab_size=9, pad_token_id=0)
    gpt2 = transformers.GPT2Config(n_embd=8, n_head=2, n_layer=1, vocab_size=9)
    transformers.LlamaForCausalLM(llama).save_pretrained(tmp_path / "AutoModelForCausalLM")
    transformers.GPT2LMHeadModel(gpt2).save_pretrained(tmp_path / "GPT2LMHeadModel")
    classifier = transformers.LlamaForSequenceClassification(llama)
    classifier.save_pretrained(tmp_path / "AutoModelForSequenceClassification")
    code = f"""
import transformers
from pathlib import Path
for folder in Path({str(tmp_path)!r}).iterdir():
    model = getattr(transformers, folder.name).from_pretrained(folder)
    optimizer = torch.optim.AdamW(model.parameters())
    ids = torch.tensor([[1, 2, 3]])
    model(ids, labels=torch.tensor([1]) if "Class" in folder.name else ids).loss.backward()
    optimizer.step()
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""
    assert values_of(code) == []


def test_metrics_are_made_without_evaluators():
    code = "import utils.metrics.likelihood; print(json.dumps('evaluate.evaluator.base' in sys.modules))"
    assert values_of(code) is False


def test_a_script_trains_without_them(tmp_path):
    texts = [" ".join(random.Random(number).choices("abcdefghijklmnopqrstuvwxyz", k=9)) for number in range(40)]
    (tmp_path / "texts.csv").write_text("\n".join(["text", *texts]), encoding="utf-8")
    data = tmp_path / "texts.pkl"
    made = ["preprocess.py", "--data_path", tmp_path / "texts.csv", "--model", "tiny", "--output_path", data]
    subprocess.run([sys.executable, *made], cwd=ROOT, check=True, capture_output=True)
    code = f"""
import runpy
def listed():
    heavy = [name for name in {HEAVY!r} if name in sys.modules and not name.startswith("accelerate")]
    print(json.dumps(heavy))
import atexit; atexit.register(listed)
sys.argv = ["fine_tune.py", "--data", {str(data)!r}, "--model", "tiny", "--max_steps", "1",
            "--output_path", {str(tmp_path / "m")!r}]
runpy.run_path({str(ROOT / "fine_tune.py")!r}, run_name="__main__")
"""
    assert values_of(code) == []


ASKED = {
    "another name": ("from torch.distributed.tensor import DeviceMesh as it", "torch.distributed.device_mesh"),
    "a name that transformers defers": (
        "from torch.distributed.tensor import DTensor as it",
        "torch.distributed.tensor",
    ),
    "a module below": (
        "import torch.distributed.tensor.placement_types as m; it = m.Shard",
        "torch.distributed.tensor",
    ),
    "a module that is not deferred": ("from scipy.special import expit as it", "scipy.special"),
    "a function": ("from scipy.optimize import minimize as it", "scipy.optimize"),
    "by attribute": ("import scipy; it = scipy.special.expit", "scipy.special"),
    "a model of all": ("from transformers.models import LlamaConfig as it", "transformers.models.llama"),
    "a model's package": ("import transformers; it = transformers.models.bert.BertModel", "transformers.models.bert"),
    "a version": ("import datasets; it = datasets.__version__", ""),
    "an evaluator": ("from evaluate import evaluator as it; it = it('text-generation')", "evaluate.evaluator"),
    "after import": ("import accelerate; it = accelerate.Accelerator", "accelerate.accelerator"),
}


@pytest.mark.parametrize(("statement", "module"), ASKED.values(), ids=ASKED.keys())
def test_whoever_else_asks_gets_the_real_thing(statement, module):
    code = f"""
import transformers.modeling_utils
{statement}
print(json.dumps([type(it).__name__, getattr(it, "__module__", None) or {module!r}]))
"""
    kind, found = values_of(code)
    assert kind != "_Deferred"
    assert found.startswith(module)


def test_deferred_names_become_real_when_they_are_used():
    code = """
import transformers.core_model_loading as loading
from transformers.distributed.utils import is_dtensor
import transformers.loss.loss_for_object_detection as loss
import numpy
tensor = torch.ones(2)
before = is_dtensor(tensor)
pairs = loss.linear_sum_assignment(numpy.array([[4, 1], [2, 3]]))
from torch.distributed.tensor import DTensor
print(json.dumps([before, is_dtensor(tensor), [part.tolist() for part in pairs], isinstance(DTensor, type)]))
"""
    assert values_of(code) == [False, False, [[0, 1], [1, 0]], True]


def test_compiling_works_afterwards():
    code = """
import transformers.modeling_utils
@torch.compiler.disable
def plain(x):
    return x + 1
compiled = torch.compile(lambda x: x * 2 + 1, backend="aot_eager")
print(json.dumps([plain(torch.ones(2)).tolist(), compiled(torch.ones(2)).tolist(), import_meta_kernels()]))
"""
    assert values_of(code) == [[2.0, 2.0], [3.0, 3.0], False]


def test_models_that_need_more_to_be_built_without_memory_are_opened(tmp_path):
    """Llama 3's positions are computed by an operation that PyTorch has in Python only, for tensors without memory."""
    code = f"""
from pathlib import Path
from transformers import LlamaConfig, LlamaForCausalLM
rope = {{"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
         "original_max_position_embeddings": 64}}
config = LlamaConfig(hidden_size=8, num_attention_heads=2, num_hidden_layers=1, vocab_size=9, intermediate_size=8,
                     rope_parameters=rope)
torch.manual_seed(1)
model = LlamaForCausalLM(config).eval()
model.save_pretrained({str(tmp_path)!r})
from utils.models.base_models import BaseModel
from utils.models.opening.load import load_causal_lm
opened = load_causal_lm(BaseModel("m", {str(tmp_path)!r}, local_only=True))
ids = torch.tensor([[1, 2, 3]])
print(json.dumps([torch.equal(model(ids).logits, opened(ids).logits)]))
"""
    assert values_of(code) == [True]


def test_random_numbers_are_those_without_it():
    code = "print(json.dumps([torch.rand(2, generator=torch.Generator().manual_seed(5)).tolist()]))"
    assert values_of(code) == [torch.rand(2, generator=torch.Generator().manual_seed(5)).tolist()]
