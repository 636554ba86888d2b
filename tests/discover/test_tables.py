import pytest

from tablelens.errors import UsageError


@pytest.mark.parametrize(
    ("words", "table"),
    [
        ("orders", "shop/orders.csv"), ("customer names", "shop/customers.csv"), ("order", "shop/orders.csv"),
        ("capitals of the world", "world/capitals.csv"), ("iso2", "world/countries.csv"),
        ("rain", "world/climate.csv"), ("Bucharest Madrid", "world/capitals.csv"),
        ("BUCHAREST capital", "world/capitals.csv"),
    ],
)  # fmt: skip
def test_tables_are_found_by_their_words(crawled, words, table):
    assert crawled.search(words)[0].table == table


def test_a_hit_says_what_matched(crawled):
    hit = crawled.search("shop customer country")[0]
    assert (hit.lake, hit.table, hit.title, hit.rows) == ("tiny", "shop/customers.csv", "shop customers", 60)
    assert hit.columns == ("customer_id", "name", "country")
    assert hit.matched == ("shop", "customer", "country")


def test_at_most_k_best_first(crawled):
    found = crawled.search("country", k=2)
    assert len(found) == 2
    assert found[0].score >= found[1].score


def test_unknown_words_find_nothing(crawled):
    assert crawled.search("zzzyx") == []


@pytest.mark.parametrize("text", ["", "  ", "of the", "!?"])
def test_no_word_is_a_usage_error(crawled, text):
    with pytest.raises(UsageError, match="no word"):
        crawled.search(text)
