"""The sections of classifiers: figures against the evaluation, and labels and texts of every kind."""

import re
from pathlib import Path

import pytest
from labeled_evaluations import TFIDF, labeled_evaluation

from utils.evaluation.report.classifier_curves import over_one_another
from utils.evaluation.report.classifiers import sections
from utils.evaluation.report.comparison import render_comparison
from utils.evaluation.report.page import render
from utils.evaluation.report.words import plural
from utils.terminal.tables import with_interval

TEXTS = [f"text number {number} " + "and more " * (number % 7) for number in range(90)]
HOSTILE = ["<script>alert(1)</script>", "</svg><b>&amp;", "x" * 3000, "שלום \u202e עולם", "a\x00b\x1b[0m", "emoji 😀"]


@pytest.fixture(scope="module")
def two() -> dict:
    return labeled_evaluation(["bad", "good"], TEXTS)


@pytest.fixture(scope="module")
def many() -> dict:
    return labeled_evaluation([f"topic {number}" for number in range(60)], TEXTS)


def by_title(evaluation: dict) -> dict:
    return {section.title: section for section in sections(evaluation)}


def plots_of(evaluation: dict) -> dict:
    return {plot.title: plot for section in sections(evaluation) for plot in section.plots}


def test_the_sections_of_two_labels_in_their_order(two):
    assert list(by_title(two)) == [
        "Confusions between labels",
        "ROC and precision-recall curves",
        "The threshold",
        "Calibration",
        "Short and long texts",
        "Mistakes",
        "Labels that are probably wrong",
    ]
    assert list(plots_of(two)) == [
        "Labels and predictions",
        "F1 of each label",
        "ROC curve",
        "Precision-recall curve",
        "Scores at each threshold",
        "Accuracy by probability",
        "How confident it is",
        "Accuracy by length of the text",
    ]


def test_the_figures_are_those_of_the_evaluation(two):
    plots, (curve,) = plots_of(two), two["points"]["curves"]
    (right, wrong), (missed, found) = two["tuned"]["confusion_matrix"]
    assert f"{right + found} of 90 texts" in by_title(two)["Confusions between labels"].sentences[0]
    most, label, other = max((wrong, "bad", "good"), (missed, "good", "bad"))
    of = right + wrong if label == "bad" else missed + found
    assert f"{most} of {of} texts labeled “{label}”, taken for “{other}”" in plots["Labels and predictions"].description
    (ranking,) = by_title(two)["ROC and precision-recall curves"].sentences
    for name in ("tuned", TFIDF):
        assert with_interval(curve["models"][name]["average_precision"], "{:.3f}") in ranking
    tenth = {end: line[10] for end, line in curve["models"]["tuned"]["true_positive_rate"].items()}
    assert with_interval(tenth, "{:.3f}") in plots["ROC curve"].description
    assert len(plots["ROC curve"].rows) == 101
    assert plots["Precision-recall curve"].rows[0][3] == f"{(missed + found) / 90:,.4f}"
    assert plots["F1 of each label"].rows[1][4] == with_interval(two["tuned"]["f1"], "{:.3f}")


def test_the_cost_of_moving_the_threshold(two):
    section, grid = by_title(two)["The threshold"], two["points"]["thresholds"]
    (right, wrong), (missed, found) = two["tuned"]["confusion_matrix"]
    now, lower, higher, caution = section.sentences
    assert now.startswith("“good” is predicted at a probability of 0.400 or more")
    more, fewer = grid["found"][20] - found, found - grid["found"][60]
    assert f"At 0.20, {more} more of the {missed + found} texts labeled “good” would be found" in lower
    assert f"{grid['predicted'][20] - grid['found'][20] - wrong} more of the {right + wrong} others" in lower
    assert f"At 0.60, {fewer} fewer of the" in higher
    assert "--threshold" in caution
    (table,) = section.tables
    thresholds = [float(row[0].split()[0]) for row in table.rows]
    assert thresholds == sorted(thresholds)
    assert "0.400 now" in [row[0] for row in table.rows]
    for row in table.rows:
        place = round(float(row[0].split()[0]) * 100)
        assert float(row[4].split()[0]) == pytest.approx(grid["macro_f1"]["value"][place], abs=0.0006)


def test_calibration_is_shown_before_and_after(two):
    section, points = by_title(two)["Calibration"], two["points"]["calibration"]
    fullest = max(points["after"]["bins"], key=lambda bin: bin["texts"])
    assert section.sentences[0].startswith(f"{fullest['texts']} predictions with a probability of ")
    assert with_interval(points["before"]["expected_calibration_error"], "{:.3f}") in section.sentences[1]
    curve, counts = section.plots
    assert [row[0] for row in curve.rows].count("before calibration") == len(points["before"]["bins"])
    assert sum(int(row[3]) for row in curve.rows) == 2 * 90
    assert counts.title == "How confident it is"


def test_without_calibration_there_is_one_line():
    evaluation = labeled_evaluation(["bad", "good"], TEXTS, temperature=1.0, threshold=None)
    section = by_title(evaluation)["Calibration"]
    assert "Before" not in " ".join(section.sentences)
    assert "at a probability of 0.500 or more" in by_title(evaluation)["The threshold"].sentences[0]


def test_a_mistake_has_its_words_marked(two):
    (texts,) = by_title(two)["Mistakes"].texts
    for (text,), mistake in zip(texts.entries, two["most_confident_mistakes"], strict=True):
        assert text.text == mistake["text"]
        assert text.marked == ((0, 5),)
        assert text.name == f"labeled “{mistake['label']}”, predicted “{mistake['prediction']}”"
        assert text.note == f"probability {mistake['probability']:.3f}; −0.25 without “text”"


def test_mistakes_of_which_no_words_were_left_out_are_told_apart(two):
    asked, *others = two["most_confident_mistakes"]
    others = [{name: value for name, value in mistake.items() if name != "words"} for mistake in others]
    section = by_title({**two, "most_confident_mistakes": [asked, *others]})["Mistakes"]
    assert "In the first, the words that spoke for the wrong label are marked" in section.sentences[0]
    assert "In the first" not in by_title(two)["Mistakes"].sentences[0]


def test_words_beyond_the_cut_are_not_marked(two):
    mistake = {**two["most_confident_mistakes"][0], "text": "a" * 299 + "…"}
    mistake["words"] = [{"words": "aaaa…", "start": 297, "drop": 0.2}, {"words": "b", "start": 400, "drop": 0.1}]
    (texts,) = by_title({**two, "most_confident_mistakes": [mistake]})["Mistakes"].texts
    assert texts.entries[0][0].marked == ((297, 299),)


def test_probable_label_errors_are_never_called_errors(two):
    section = by_title(two)["Labels that are probably wrong"]
    assert "probably" in section.sentences[0]
    assert "Northcutt" in section.sentences[0]
    confident, wrong = (two["probable_label_errors"][name] for name in ("confident_texts", "texts"))
    assert f"about {confident} texts, and {confident - wrong} of these (" in section.sentences[0]
    assert all("probably" in text.name for entry in section.texts[0].entries for text in entry)
    assert len(section.texts[0].entries) == len(two["probable_label_errors"]["shown"]) > 0
    none = {**two, "probable_label_errors": {"method": "m", "confident_texts": 9, "texts": 0, "shown": []}}
    assert "Labels that are probably wrong" not in by_title(none)


def test_sixty_labels_have_pairs_instead_of_a_matrix(many):
    plots = plots_of(many)
    assert "Labels and predictions" not in plots
    pairs = plots["Most frequent confusions"]
    counts = many["tuned"]["confusion_matrix"]
    assert sum(int(row[2]) for row in pairs.rows) == many["mistakes"]
    first = pairs.rows[0]
    row, column = (many["labels"].index(label) for label in first[:2])
    assert (
        int(first[2])
        == counts[row][column]
        == max(count for row, line in enumerate(counts) for column, count in enumerate(line) if row != column)
    )
    assert len(plots["F1 of the 12 most frequent labels"].rows) == 60
    roc = plots["ROC curves, each label against the rest"]
    assert roc.svg.count("<polyline") == 5 + 5  # and those of the legend
    assert "[" in roc.rows[0][2]  # the band of a point
    assert "Drawn are the 5 most frequent labels." in by_title(many)["ROC and precision-recall curves"].sentences[0]
    assert "The threshold" not in by_title(many)


@pytest.mark.parametrize(
    ("labels", "given"), [(["a", "b"], [1, 1, 1]), (["a", "b"], [0]), (["a", "b", "c"], [2, 2, 2])]
)
def test_few_texts_of_one_label(labels, given):
    evaluation = labeled_evaluation(labels, TEXTS[: len(given)], given=given)
    assert "ROC and precision-recall curves" not in by_title(evaluation)
    page = render(evaluation)
    assert f"Only {plural(len(given), 'test text')}: " in page
    assert "nan" not in re.sub(r"<script.*", "", page, flags=re.DOTALL)


def test_a_model_without_a_mistake(two):
    section = by_title({**two, "mistakes": 0, "most_confident_mistakes": []})["Mistakes"]
    assert section.sentences == ("It made none on these texts.",)


def test_strangers_labels_and_texts_are_texts():
    evaluation = labeled_evaluation(HOSTILE, [f"{text} {number}" for number in range(8) for text in HOSTILE])
    page = render(evaluation)
    assert page.count("<script") == 1
    assert "<b>" not in page
    assert not re.search("[\x00\x1b\u202e]", page.partition('<script type="application/json"')[0])
    for plot in plots_of(evaluation).values():
        assert "<b>" not in plot.svg
        assert all(len(cell) <= 100 for row in plot.rows for cell in row)
        assert len(plot.description) < 1000


def test_an_evaluation_of_an_earlier_version(two):
    old = {name: value for name, value in two.items() if name not in ("points", "per_text", "probable_label_errors")}
    old["most_confident_mistakes"] = [
        {name: value for name, value in mistake.items() if name != "words"}
        for mistake in two["most_confident_mistakes"]
    ]
    found = by_title(old)
    assert list(found) == ["Confusions between labels", "Curves", "Mistakes"]
    assert "evaluate it again" in found["Curves"].sentences[0]
    assert "earlier version" in render(old)


def test_notes_name_the_positive_class_and_missing_texts(two):
    page = render({**two, "truncated_texts": 1, "texts_left_out": 2})
    assert "Precision, recall and F1 are those of “good”" in page
    assert "1 text was cut to 64 tokens." in page
    assert "2 more texts left out" in page
    assert "All of these texts" not in page
    assert "labeled “b”: nothing shows" in render(labeled_evaluation(["a", "b"], TEXTS[:4], given=[1] * 4))


def test_several_models_are_drawn_over_one_another(two):
    other = labeled_evaluation(["bad", "good"], TEXTS, given=two["per_text"]["label"], seed=5)
    models = {"first": two, "second": other}
    roc, pr, f1 = over_one_another(models)
    for plot, x, y in ((roc, "false_positive_rate", "true_positive_rate"), (pr, "recall", "precision")):
        for place, row in enumerate(plot.rows):
            expected = [model["points"]["curves"][0]["models"]["tuned"][y]["value"][place] for model in models.values()]
            assert [float(cell) for cell in row] == pytest.approx([two["points"]["curves"][0][x][place], *expected])
    assert f1.header == ("label", "first", "second")
    assert f1.rows[1][2] == with_interval(other["tuned"]["f1"], "{:.3f}")
    page = render_comparison({Path(name): model for name, model in models.items()}, [Path("first"), Path("second")])
    assert "Precision-recall curves" in page


def test_models_of_other_labels_or_earlier_versions_are_not_drawn_together(two, many):
    old = {name: value for name, value in two.items() if name != "points"}
    for other in (many, old):
        assert over_one_another({"first": two, "second": other}) == []
    assert over_one_another({"first": many, "second": many}) == []


def test_the_verdict_is_by_macro_f1(two):
    def page(macro_f1, accuracy):
        figures = {"macro_f1": macro_f1, "accuracy": accuracy}
        difference = {
            name: dict(zip(("value", "low", "high"), figure, strict=True)) for name, figure in figures.items()
        }
        return render({**two, "difference": difference})

    better, worse, unclear = (0.07, 0.04, 0.11), (-0.07, -0.11, -0.04), (0.02, -0.04, 0.08)
    unseen = "in macro F1 on 90 texts it has not seen"
    assert f"Beats TF-IDF + logistic regression by 0.070 [0.040, 0.110] {unseen}." in page(better, better)
    assert f"Is worse than TF-IDF + logistic regression, by 0.070 [0.040, 0.110] {unseen}." in page(worse, worse)
    assert f"Is not clearly better than TF-IDF + logistic regression: +0.020 [-0.040, +0.080] {unseen}." in page(
        unclear, better
    )
    assert "In accuracy, which frequent labels decide, it is worse: -0.070" in page(better, worse)
    assert "In accuracy" not in page(better, better)
