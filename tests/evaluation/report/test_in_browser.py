"""The pages in a headless Chromium: they request nothing, nothing overflows, every text can be read."""

import json
from pathlib import Path

import chromium
import pytest
from hostile import hostile
from reported_tasks import TASKS

from utils.evaluation.report.page import render

PROGRAM = chromium.find()
CONTRAST = (Path(__file__).parent / "contrast.js").read_text("utf-8")
NOISE = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def browser():
    browser = chromium.Browser(PROGRAM)
    yield browser
    browser.close()


@pytest.fixture
def shown(browser, tmp_path):
    """Return a function that asserts what holds of every page, at both widths and in both color schemes."""

    def show(html: str) -> None:
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        for width, scheme in ((390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")):
            browser.open(path, width, scheme)
            asked = [one["params"]["request"]["url"] for one in browser.events if one.get("method") == REQUEST]
            assert asked == [path.as_uri()]
            assert [one for one in browser.events if one.get("method") in NOISE] == []
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
            assert browser.evaluate("document.title") != "ran"
            measured = browser.evaluate(CONTRAST)
            assert measured["poor"] == [] and measured["texts"] > 50

    return show


REQUEST = "Network.requestWillBeSent"


@pytest.mark.parametrize("task", TASKS)
def test_a_page_can_be_read(evaluations, shown, task):
    shown(render(evaluations[task]))


@pytest.mark.parametrize("task", TASKS)
def test_a_page_of_hostile_texts_can_be_read(evaluations, shown, task):
    shown(render(hostile(json.loads(json.dumps(evaluations[task])))))


def test_the_measures_find_what_they_look_for(browser, tmp_path):
    path = tmp_path / "bad.html"
    body = "<p style='color:#999;width:2000px'>grey</p><svg><rect width='99' height='99' fill='#000'/>"
    path.write_text(f"<body style='background:#fff'>{body}<text y='20' fill='#222'>dark</text></svg><img src=x.png>")
    browser.open(path, 390, "light")
    assert len(browser.evaluate(CONTRAST)["poor"]) == 2
    assert browser.evaluate("document.documentElement.scrollWidth") > 390
    assert len([one for one in browser.events if one.get("method") == REQUEST]) == 2
