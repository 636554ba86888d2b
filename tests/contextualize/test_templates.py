import pytest

from tablelens.contextualize.templates import TEMPLATES, ColumnFacts, contextualize
from tablelens.errors import UsageError

COMPANIES = ["Apple", "GE", "Microsoft", "Yahoo!", "Amazon"]
FACTS = ColumnFacts(
    "Company", "Company information", COMPANIES, 5, (9, 2, 5.6), (1, 1, 1.0), context="Firms by market value."
)
CELLS = "Apple, GE, Microsoft, Yahoo!, Amazon"
PAPER = {
    "col": CELLS,
    "colname-col": f"Company: {CELLS}.",
    "colname-col-context": f"Company: {CELLS}. Firms by market value.",
    "colname-stat-col": f"Company contains 5 values (9, 2, 5.6): {CELLS}",
    "title-colname-col": f"Company information. Company: {CELLS}.",
    "title-colname-col-context": f"Company information. Company: {CELLS}. Firms by market value.",
    "title-colname-stat-col": f"Company information. Company contains 5 values (9, 2, 5.6): {CELLS}.",
}


def test_there_are_seven():
    assert TEMPLATES.keys() == PAPER.keys()


@pytest.mark.parametrize("template", PAPER)
def test_text_is_as_in_the_paper(template):
    assert contextualize(FACTS, template) == PAPER[template]
    assert contextualize(FACTS, template) == contextualize(FACTS, template)


def test_the_statistics_are_those_of_the_cells():
    sizes = [len(company) for company in COMPANIES]
    assert (max(sizes), min(sizes), sum(sizes) / 5) == FACTS.characters


def test_statistics_can_count_words():
    assert contextualize(FACTS, "colname-stat-col", "words") == f"Company contains 5 values (1, 1, 1): {CELLS}"


def test_without_context_the_text_ends_after_the_cells():
    facts = ColumnFacts("n", "t", ["a"], 1, (1, 1, 1.0), (1, 1, 1.0))
    assert contextualize(facts, "colname-col-context") == "n: a."


def test_unknown_template_and_unit_are_refused_with_what_is_known():
    with pytest.raises(UsageError, match=r"'title'[\s\S]*title-colname-stat-col"):
        contextualize(FACTS, "title")
    with pytest.raises(UsageError, match=r"'bytes'[\s\S]*characters or words"):
        contextualize(FACTS, "col", "bytes")
