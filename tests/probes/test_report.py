"""The report is one whole page, and nothing of the lake steers it."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from tablelens.probes.data import generate
from tablelens.probes.registry import PROPERTIES, get_property, load_model
from tablelens.probes.report.page import page
from tablelens.probes.runner import Budget, run

VOID = {"meta", "circle", "line", "rect", "polyline"}


class Balance(HTMLParser):
    """Open elements, and all that were met."""

    def __init__(self):
        super().__init__()
        self.stack, self.met = [], set()

    def handle_starttag(self, tag, attrs):
        self.met.add(tag)
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.stack.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.met.add(tag)


@pytest.fixture(scope="module")
def made():
    models = [load_model(name) for name in ("bag-of-words", "first-row", "constant")]
    return run(models, PROPERTIES, generate(8, 10), Budget(8, 10, 4, 4), preset="smoke")


def test_the_page_is_whole_and_asks_no_network(made):
    text = page(made)
    balance = Balance()
    balance.feed(text)
    assert balance.stack == []
    assert "script" not in balance.met
    assert not re.search(r"https?://|url\(|@import|src=", text)
    for heading in ("Scorecard", "Angle and length", "Model by model", "Each property", "Cost", "How to read this"):
        assert f"<h2>{heading}</h2>" in text


def test_what_moves_no_model_is_said_and_not_drawn():
    models = [load_model("bag-of-words")]
    text = page(
        run(
            models,
            [get_property(name) for name in ("row_order", "perturbation_robustness")],
            generate(6, 8),
            Budget(6, 8, 3, 4),
            preset="smoke",
        )
    )
    movement = text.split("<h2>Angle and length</h2>")[1].split("<h2>")[0]
    assert "Nothing moves any of these models: Row order insignificance, column" in movement
    assert re.findall("<figcaption>(.*?)</figcaption>", movement) == ["Perturbation robustness, column"]


def test_every_result_is_on_the_page(made):
    text = page(made)
    for result in made.results:
        assert f'id="{result.property}-{result.level}"' in text
    assert "degenerate" in text
    assert "rows in the order" in text  # the permutation that moved a table most


def test_lake_text_is_text(made):
    evil = "<script>alert('x')</script>\"&"
    worst = ({"table": evil, "value": 0.1, "what": evil},)
    changed = tuple(replace(r, worst=worst, why=evil, skipped={evil: 3}) for r in made.results)
    cards = tuple(replace(card, name=card.name, weights=evil) for card in made.models)
    text = page(replace(made, results=changed, models=cards, dataset=made.dataset | {"name": evil}))
    assert "<script" not in text


def test_a_run_without_anything_is_a_page_too(made):
    empty = replace(made, results=(), models=(), comparisons=())
    balance = Balance()
    balance.feed(page(empty))
    assert balance.stack == []


def test_random_weights_are_said_on_top(made):
    cards = tuple(replace(card, weights="random: tiny") for card in made.models)
    assert "Untrained, with random weights" in page(replace(made, models=cards))
