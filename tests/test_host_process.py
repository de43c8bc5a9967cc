"""A program that imports the scripts and calls their functions keeps its process as it was: logging, environment, ….

Libraries that it imported earlier change some of that when they are imported; they are imported first here.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TABLE = "emoji,name\n😀,grinning face\n🦊,fox\n🐘,elephant\n🍎,red apple\n🍌,banana\n🏠,house\n🔑,key\n🎺,trumpet\n"
WORDS = (("lovely", "pos"), ("awful", "neg"))
# Prints the state of the process after each step, as one JSON object per line.
PROGRAM = """
import ctypes, json, locale, logging, os, pickle, random, signal, sys, tempfile, warnings
from hashlib import sha256

called = []
getattr_of_library = ctypes.CDLL.__getattr__
ctypes.CDLL.__getattr__ = lambda self, name: called.append(name) or getattr_of_library(self, name)
logging.basicConfig(level=logging.ERROR, format="host: %(message)s")
warnings.filterwarnings("error", category=ResourceWarning)
random.seed(1)

import datasets, evaluate, huggingface_hub, numpy, torch, transformers
import sklearn.feature_extraction.text, sklearn.linear_model
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

numpy.random.seed(1)
torch.manual_seed(1)


def digest(value):
    return sha256(pickle.dumps(value)).hexdigest()


def print_state():
    root, ours = logging.getLogger(), logging.getLogger("utils")
    state = {
        "handlers": [repr(handler) for logger in (root, ours) for handler in logger.handlers],
        "levels": [root.level, ours.level],
        "libraries' verbosity": [module.logging.get_verbosity() for module in (transformers, huggingface_hub)],
        "progress bars": [
            transformers.utils.logging.is_progress_bar_enabled(),
            huggingface_hub.utils.are_progress_bars_disabled(),
            datasets.are_progress_bars_disabled(),
        ],
        "streams": [id(sys.stdout), id(sys.stderr), sys.stdout.errors, sys.stderr.errors],
        "warnings": [repr(warning) for warning in warnings.filters],
        "environment": dict(os.environ),
        "attention": repr(ALL_ATTENTION_FUNCTIONS["sdpa"]),
        "signals": [repr(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "torch": [
            str(torch.get_default_dtype()), str(torch.get_default_device()), torch.get_num_threads(),
            torch.get_num_interop_threads(), torch.is_grad_enabled(), torch.is_inference_mode_enabled(),
            torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision(),
        ],
        "random numbers": [
            digest(state) for state in (random.getstate(), numpy.random.get_state(), torch.get_rng_state().tolist())
        ],
        "folder": os.getcwd(),
        "path": sys.path,
        "locale": locale.setlocale(locale.LC_ALL),
        "recursion": sys.getrecursionlimit(),
        "mallopt": called.count("mallopt"),
        "hook": repr(sys.excepthook),
    }
    print(json.dumps(state))


print_state()
import classify, evaluate_model, fine_tune, generate, preprocess
print_state()
results = fine_tune.fine_tune_gpt2("table.csv", "tiny", "results", max_steps=2, device="cpu", overwrite=True)
print_state()
generate.generate_emoji("a sly red animal", model_path=str(results), num=3)
print_state()
data = preprocess.preprocess("reviews.csv", output="data.pkl", task="reviews", model="tiny", near_duplicates="off")
print_state()
model = fine_tune.fine_tune(data, output="model", max_steps=2, device="cpu")
print_state()
classify.classify(["good", "bad"], model)
print_state()
generate.generate(["a fox", "a house"], results)
print_state()
evaluate_model.evaluate(model, data)
print_state()
"""


@pytest.fixture(scope="module")
def states(tmp_path_factory) -> list[dict]:
    """The state of a program before it imports the scripts, after that, after training, and after ranking emoji."""
    folder = tmp_path_factory.mktemp("host")
    (folder / "table.csv").write_text(TABLE, encoding="utf-8")
    reviews = "".join(f"{word} thing number {number},{label}\n" for number in range(20) for word, label in WORDS)
    (folder / "reviews.csv").write_text("text,label\n" + reviews, encoding="utf-8")
    program = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{PROGRAM}"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


STEPS = ("import", "fine_tune_gpt2", "generate_emoji", "preprocess", "fine_tune", "classify", "generate", "evaluate")


@pytest.mark.parametrize(("number", "step"), list(enumerate(STEPS, start=1)), ids=STEPS)
def test_the_process_stays_as_it_was(states, number, step):
    before, after = states[number - 1], states[number]
    assert before.keys() == after.keys()
    changed = {name for name in before if after[name] != before[name]}
    assert changed == set()
