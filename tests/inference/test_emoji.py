"""generate_emoji, from Python: the most likely emoji of a model that is loaded once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from emoji_models import EMOJI, emoji_data, run_record, save, taught, trained
from small_models import tiny_tokenizer

import generate
from generate import generate_emoji
from utils.errors import UserError
from utils.inference.emoji_ranking import rank_emoji
from utils.models import checkpoint

pytestmark = pytest.mark.usefixtures("_no_progress_bars")

ROOT = Path(generate.__file__).parent


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A folder of models: two that know the table (`emoji`, `codepoints`), `random.pt`, and `tweets`."""
    folder = tmp_path_factory.mktemp("models")
    for target in ("emoji", "codepoints"):
        model = checkpoint.Trained(taught(emoji_data(target)), tiny_tokenizer(), run_record(target))
        save(folder / target, model)
    save(folder / "random.pt", trained())
    model = trained(seed=4)
    save(
        folder / "tweets",
        checkpoint.Trained(
            model.model, model.tokenizer, {"task": "tweets", "kind": "generate", "template": "{prompt}", "cleaning": {}}
        ),
    )
    return folder


def test_generate_emoji(models):
    known = str(models / "emoji")
    assert generate_emoji("black cat", known) == "🐈‍⬛"
    several = generate_emoji("black cat", known, num=3)
    assert several == [one.emoji for one in rank_emoji(checkpoint.load(known), ["black cat"], 3)[0]]
    assert sorted(generate_emoji("black cat", known, 1000)) == sorted(EMOJI)
    assert generate_emoji(" :man_farmer: ", str(models / "codepoints")) == "👨‍🌾"
    assert generate_emoji("cat", str(models / "random.pt")) in EMOJI


def test_the_default_model_is_in_results(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").symlink_to(models / "emoji")
    assert generate_emoji("red heart") == "❤️"


@pytest.mark.parametrize("name", ["random", "random.pt"])
def test_it_is_loaded_once_and_again_when_it_is_another_one(models, tmp_path, name, monkeypatch):
    path = save(tmp_path / name, trained())
    first = generate_emoji("cat", str(path), 12)
    weights = path if path.suffix else path / "model.safetensors"
    stamp = weights.stat().st_mtime_ns
    aside = weights.rename(tmp_path / "aside")
    weights.write_bytes(b"")
    os.utime(weights, ns=(stamp, stamp))
    assert generate_emoji("cat", str(path), 12) == first  # nothing was read
    aside.replace(weights)
    save(path, trained(seed=9))
    expected = rank_emoji(trained(seed=9), ["cat"], 12)[0]
    assert generate_emoji("cat", str(path), 12) == [one.emoji for one in expected] != first
    # The same relative path in another folder is another model.
    (tmp_path / "elsewhere").mkdir()
    other = save(tmp_path / "elsewhere" / name, trained(seed=0))
    saved = [one if one.suffix else one / "run.json" for one in (path, other)]
    os.utime(saved[1], ns=(saved[0].stat().st_mtime_ns,) * 2)
    monkeypatch.chdir(tmp_path)
    assert generate_emoji("cat", name, 12) != first
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert generate_emoji("cat", name, 12) == first


def test_generate_emoji_refuses_impossible_requests(models):
    with pytest.raises(UserError, match="does not write emoji"):
        generate_emoji("cat", str(models / "tweets"))
    with pytest.raises(UserError, match="description 1 is empty"):
        generate_emoji(" ", str(models / "emoji"))
    with pytest.raises(UserError, match="at least 1"):
        generate_emoji("cat", str(models / "emoji"), num=0)


def test_importing_it_does_not_load_torch():
    program = "import sys; from generate import generate_emoji; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
