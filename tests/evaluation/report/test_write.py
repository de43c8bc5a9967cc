"""--report, --plots and --overwrite on the command line: paths of pages and pictures, and files never replaced."""

import json
import shutil
from pathlib import Path

import pytest
from running import assert_one_error, run_script

import evaluate_model
import fine_tune
from utils.errors import UserError
from utils.evaluation.report import pictures
from utils.evaluation.report.write import check_new, report_path
from utils.models.model_files import is_picture, is_report, other_files
from utils.plots.plot import Plot, draw

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def work(models, tmp_path, monkeypatch):
    """A folder with reviews.pkl and reviews, a classifier that was evaluated; the working folder."""
    for name in ("reviews", "reviews.pkl"):
        (shutil.copytree if (models / name).is_dir() else shutil.copy)(models / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(work, capsys):
    def calling(*words):
        capsys.readouterr()
        code = run_script(evaluate_model.main, *words)
        return code, *capsys.readouterr()

    return calling


EVALUATE = ("--model_path", "reviews", "--data", "reviews.pkl")


def test_a_page_lies_beside_the_evaluation_and_stays_unless_it_may_go(call, work):
    assert call(*EVALUATE, "--report")[0] == 0
    page = work / "reviews" / "report.html"
    assert is_report(page) and other_files(work / "reviews") == []
    page.write_text("mine")
    before = (work / "reviews" / "evaluation.json").read_bytes()
    code, out, err = call(*EVALUATE, "--report")
    assert (code, out) == (1, "")
    assert "--overwrite" in assert_one_error(err, "reviews/report.html exists")
    assert page.read_text() == "mine" and (work / "reviews" / "evaluation.json").read_bytes() == before
    assert other_files(work / "reviews") == ["report.html"]
    assert call(*EVALUATE, "--report", "--overwrite")[0] == 0
    assert is_report(page)


def test_pictures_are_drawn_as_svg_and_png(call, work):
    assert call(*EVALUATE, "--plots", "pictures", "--report", "a page.html")[0] == 0
    files = sorted((work / "pictures").iterdir())
    names = [file.name for file in files]
    assert len(names) == 2 * (work / "a page.html").read_text("utf-8").count("<svg ")
    assert "01-" in names[0] and {file.suffix for file in files} == {".svg", ".png"}
    for file in files:
        content = file.read_bytes()
        assert content.startswith(PNG if file.suffix == ".png" else b"<svg ") and b"var(" not in content
    code, _, err = call(*EVALUATE, "--plots", "pictures")
    assert code == 1
    assert_one_error(err, "pictures has pictures already")
    assert call(*EVALUATE, "--plots", "reviews.pkl")[0] == 1


def test_several_models_are_compared_on_a_page(call, work):
    shutil.copytree("reviews", "other")
    evaluation = json.loads(Path("other/evaluation.json").read_text("utf-8"))
    wrong = [1 - label for label in evaluation["per_text"]["label"]]
    evaluation |= {"model_path": "other", "per_text": {**evaluation["per_text"], "prediction": wrong}}
    Path("other/evaluation.json").write_text(json.dumps(evaluation), "utf-8")
    code, out, _ = call("--compare", "reviews/evaluation.json", "other/evaluation.json", "--report")
    assert code == 0 and "macro F1" in out
    assert "2 models compared" in Path("comparison.html").read_text("utf-8")
    for name, words in (("data_sha256", "different test data"), ("per_text", "evaluate that model again")):
        Path("other/evaluation.json").write_text(json.dumps({**evaluation, name: "0"}), "utf-8")
        code, _, err = call("--compare", "reviews/evaluation.json", "other/evaluation.json", "--report", "x.html")
        assert code == 3 and words in err and not Path("x.html").exists()
    code, _, err = call("--compare", "reviews/evaluation.json", "--report")
    assert code == 1
    assert_one_error(err, "comparison.html exists")
    assert call("--compare", "reviews/evaluation.json", "--plots", "p")[0] == 2


def test_one_evaluation_is_no_comparison(call, work):
    code, _, errors = call("--compare", "reviews/evaluation.json", "reviews/evaluation.json", "--report")
    assert code == 2
    assert_one_error(errors, "makes a page of several evaluations, and this is one")
    assert not (work / "comparison.html").exists()


def test_a_report_needs_data_of_the_models_task(call, models):
    assert call("--model_path", "reviews", "--report")[0] == 2
    code, _, err = call("--model_path", "reviews", "--data", models / "tweets.pkl", "--report", "x.html")
    assert code == 1 and not Path("x.html").exists()
    assert_one_error(err, "reviews classifies texts")


def test_names_of_pages():
    assert report_path(True, Path("m/evaluation.json")) == Path("m/report.html")
    assert report_path(True, Path("m.evaluation.json")) == Path("m.report.html")
    assert report_path(True, Path("figures.json")) == Path("figures.report.html")
    assert report_path(Path("a.html"), Path("m/evaluation.json")) == Path("a.html")
    assert report_path(None, Path("m/evaluation.json")) is None


def test_an_empty_file_is_no_page(tmp_path):
    path = tmp_path / "a.html"
    path.write_text("")
    check_new([path, None, tmp_path / "b.html"], overwrite=False)
    path.write_text("x")
    with pytest.raises(UserError, match="exists"):
        check_new([path], overwrite=False)
    check_new([path], overwrite=True)


def test_a_png_without_fonts_has_a_warning(tmp_path, monkeypatch, caplog):
    plot = Plot("t", draw("t", "d", 30, []), "d", (), ())
    pictures.write_pictures(tmp_path, [plot])
    assert "no usual font" not in caplog.text
    monkeypatch.setattr(pictures, "FONTS", "sans-no")  # as where none is installed
    pictures.write_pictures(tmp_path, [plot])
    assert "no usual font" in caplog.text


def test_loss_curves_of_a_file_lie_beside_it_and_replace_nothing(work, capsys):
    words = ["--data", "reviews.pkl", "--model", "tiny", "--max_steps", 2, "--logging_steps", 1, "--precision", "fp32"]
    assert run_script(fine_tune.main, *words, "--output_path", "m.pt") == 0
    picture = Path("m.training.svg")
    assert is_picture(picture) and "m.training.svg" in capsys.readouterr().err
    picture.write_text("mine")
    assert run_script(fine_tune.main, *words, "--output_path", "m.pt", "--overwrite") == 0
    assert picture.read_text() == "mine"
    assert "m.training.svg exists, and fine_tune.py did not write it" in capsys.readouterr().err
