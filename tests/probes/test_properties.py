"""Properties on models whose answers are known in closed form, and on the faults of Observatory's released code."""

import random
from math import factorial

import numpy as np
import pytest
from tablelens.probes.base import Skip
from tablelens.probes.data import generate
from tablelens.probes.data.dependencies import holds, pairs, repeated
from tablelens.probes.invariance import permutations
from tablelens.probes.models.reference import REFERENCES, direction
from tablelens.probes.registry import PROPERTIES, get_property
from tablelens.probes.runner import Budget, measure
from tablelens.probes.tables import content
from tablelens.probes.testing import FormulaModel as Formula
from tablelens.probes.testing import make_table as table

SMALL = Budget(tables=6, rows=10, variants=4, most=4)


def unit_vectors(places, d=64):
    """Rows of the identity matrix."""
    return np.eye(d, dtype=np.float32)[list(places)]


def result(probe, name, level="column", budget=SMALL):
    return measure(probe, get_property(name), level, budget)


def values(probe, name, level="column", budget=SMALL):
    return {key: found.value for key, found in result(probe, name, level, budget).estimates.items()}


def reference(name):
    return REFERENCES[name](name)


# all properties -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prop", PROPERTIES, ids=lambda prop: prop.meta.id)
def test_metadata_is_whole(prop):
    meta = prop.meta
    assert meta.headline in meta.measures
    assert meta.question.endswith("?")
    assert meta.levels
    assert meta.limits.good > meta.limits.poor
    assert all(text and not text.endswith(".") for text in meta.measures.values())


def test_all_eight_of_the_paper_are_there():
    assert sorted(prop.meta.paper for prop in PROPERTIES if prop.meta.paper) == [f"P{i}" for i in range(1, 9)]


@pytest.mark.parametrize("prop", PROPERTIES, ids=lambda prop: prop.meta.id)
def test_a_constant_model_passes_nothing_that_it_maxes(prop, probe):
    """It may be deterministic and see all rows; everything else must not call it good."""
    for level in prop.meta.levels:
        verdict = measure(probe(reference("constant")), prop, level, SMALL).verdict
        assert verdict != "pass" or prop.meta.id in ("determinism", "truncation_coverage")


def test_a_constant_model_is_degenerate_by_name(probe):
    for name in ("row_order", "column_order", "sample_fidelity", "perturbation_robustness", "heterogeneous_context"):
        found = result(probe(reference("constant")), name)
        assert found.verdict in ("degenerate", "not applicable")
    assert result(probe(reference("constant")), "row_order").verdict == "degenerate"
    assert "cosine" in result(probe(reference("constant")), "row_order").why


@pytest.mark.parametrize("prop", PROPERTIES, ids=lambda prop: prop.meta.id)
def test_the_same_seed_gives_the_same_figures(prop, probe):
    level = prop.meta.levels[0]
    first, second = (measure(probe(reference("first-row")), prop, level, SMALL) for _ in range(2))
    assert (first.estimates, first.units, first.worst) == (second.estimates, second.units, second.worst)


# P1, P2: order --------------------------------------------------------------------------------------------------------


def test_a_bag_of_words_does_not_see_row_order(probe):
    found = values(probe(reference("bag-of-words")), "row_order")
    assert found["cosine"] == pytest.approx(1, abs=1e-6)
    assert found["mcv"] == pytest.approx(0, abs=1e-6)
    assert found["van valen"] == pytest.approx(0, abs=1e-6)
    assert found["self retrieval"] == 1


@pytest.mark.parametrize("n", [3, 4])
def test_the_first_row_alone_over_all_permutations(n, probe):
    """Mean cosine ((n-1)! - 1) / (n! - 1), Albert-Zhang 0."""
    model = Formula(lambda t, level: unit_vectors(int(column[0]) for column in t.columns))
    tables = [table(range(n), range(n, 2 * n), name=f"t{i}") for i in range(3)]
    found = values(probe(model, *tables), "row_order", budget=Budget(3, 9, 500, 500))
    assert found["cosine"] == pytest.approx((factorial(n - 1) - 1) / (factorial(n) - 1))
    assert found["mcv"] == pytest.approx(0, abs=1e-6)


def test_every_permutation_keeps_the_shape_and_the_rows():
    """Released code permuted as many rows as there are columns and dropped the rest."""
    whole = table(range(20), range(20, 40), range(40, 60))
    rows = sorted(whole.row(i) for i in range(20))
    prop = get_property("row_order")
    for variant in prop.variants(whole, random.Random(1), 30):
        assert (variant.table.rows, variant.table.width) == (20, 3)
        assert sorted(variant.table.row(i) for i in range(20)) == rows
        assert variant.table != whole


def test_a_table_with_more_columns_than_rows_is_permuted_too(probe):
    wide = table(*[(f"a{i}", f"b{i}") for i in range(9)])
    assert result(probe(reference("bag-of-words"), wide, wide), "row_order").tables == 2


def test_the_original_is_the_first_by_itself_and_permutations_are_no_set():
    """Released code put the original into a set, so that for ten rows and more any permutation was the reference."""
    for n in (2, 3, 10, 40):
        orders = list(zip(permutations(n, random.Random(2)), range(30), strict=False))
        assert tuple(range(n)) not in [order for order, _ in orders]
        assert len({order for order, _ in orders}) == len(orders)


def test_more_permutations_begin_with_the_same_ones():
    a = [order for order, _ in zip(permutations(12, random.Random(3)), range(4), strict=False)]
    b = [order for order, _ in zip(permutations(12, random.Random(3)), range(9), strict=False)]
    assert b[:4] == a


def test_columns_are_put_back_before_they_are_compared(probe):
    found = values(probe(reference("hash")), "column_order")
    assert (found["cosine"], found["mcv"]) == (pytest.approx(1), 0)


def test_duplicate_headers_are_columns_of_their_own(probe):
    twins = [table("abcde", "fghij", "klmno", header=("id", "id", ""), name=f"t{i}") for i in range(2)]
    seen = result(probe(reference("hash"), *twins), "column_order")
    assert seen.estimates["cosine"].value == pytest.approx(1)
    assert (seen.tables, seen.skipped) == (2, {})


def test_a_position_code_moves_by_its_closed_form(probe):
    a = 0.5
    model = Formula(
        lambda t, level: [np.eye(64)[int(column[0])] + a * np.eye(64)[40 + i] for i, column in enumerate(t.columns)]
    )
    two = [table([0, 0], [1, 1], name="x"), table([2, 2], [3, 3], name="y")]
    assert values(probe(model, *two), "column_order")["cosine"] == pytest.approx(1 / (1 + a * a), abs=1e-6)


def test_variants_are_tried_until_the_interval_is_narrow(probe):
    budget = Budget(6, 10, 2, 16)
    exact = result(probe(reference("bag-of-words")), "row_order", budget=budget)
    assert (exact.variants, exact.stopped) == (2, "narrow")
    rng = np.random.default_rng(1)
    noisy = Formula(lambda t, level: unit_vectors(range(t.width)) + rng.normal(0, 0.4, (t.width, 64)))
    assert result(probe(noisy), "row_order", budget=budget).variants > 2


# P3: joins ------------------------------------------------------------------------------------------------------------


def set_indicator(t, level):
    words = [{cell.lower() for cell in column} for column in t.columns]
    return [np.isin(np.arange(200), [int(word) for word in found if word.isdigit()]).astype(float) for found in words]


def test_a_set_indicator_orders_pairs_as_containment_does(probe):
    tables = [table([f"{i}" for i in range(s, s + 10)], name=f"t{s}") for s in range(8)]
    words = [table([f"w{c}" for c in t.columns[0]], name=t.name) for t in tables]
    model = Formula(lambda t, level: set_indicator(table([cell[1:] for cell in t.columns[0]]), level))
    found = values(probe(model, *words), "join_relationship")
    assert found["spearman containment"] == pytest.approx(1)
    assert found["spearman jaccard"] == pytest.approx(1)
    assert found["spearman multiset"] == pytest.approx(1)


def test_chance_orders_nothing(probe):
    found = result(probe(reference("random")), "join_relationship").estimates["spearman containment"]
    assert found.low < 0 < found.high


def test_pairs_that_share_nothing_take_part(dataset):
    from tablelens.probes.measures import containment
    from tablelens.probes.properties.join_relationship import _values, pairs

    shares = [
        containment(_values(dataset.tables[t].columns[c]), _values(dataset.tables[u].columns[d]))
        for found in pairs(dataset, random.Random(1)).values()
        for (t, c), (u, d) in found
    ]
    assert 0.2 < np.mean(np.array(shares) == 0) < 0.8


# P4: dependencies -----------------------------------------------------------------------------------------------------

TOWNS = ["Rome", "Oslo", "Lima"] * 4
LANDS = ["Italy", "Norway", "Peru"] * 4
SHOPS = ["Mill", "Fair"] * 6
MOODS = ["calm", "calm", "loud", "loud"] * 3


def test_dependencies_are_verified_and_controls_are_none(dataset):
    for each in dataset.tables:
        held, controls = pairs(each)
        assert all(holds(each, pair.x, pair.y) for pair in held)
        assert not any(holds(each, pair.x, pair.y) or holds(each, pair.y, pair.x) for pair in controls)
        assert all(len(group) > 1 for pair in [*held, *controls] for group in pair.groups)


def test_a_true_dependency_is_never_a_control_whatever_its_type():
    """Released code drew controls that were dependencies, because it had filtered those with a numeric key."""
    keyed = table([str(i // 2) for i in range(12)], TOWNS, LANDS, header=("id", "town", "land"))
    _, controls = pairs(keyed)
    assert not any((pair.x, pair.y) in ((1, 2), (2, 1), (0, 1)) for pair in controls)


def test_a_cell_hash_is_blind_to_dependencies_and_no_winner(probe):
    """As the paper defines it a context-free hash of cells would win outright."""
    whole = table(TOWNS, LANDS, SHOPS, MOODS)
    found = result(
        probe(reference("hash"), whole, table(TOWNS, LANDS, SHOPS, MOODS, name="u")), "functional_dependencies", "cell"
    )
    assert found.verdict == "not applicable"
    assert found.estimates["dependency"].value == 0
    assert found.estimates["control"].value == 0


def dependency_model(scale):
    """Town → land is one translation; other cells wander with their row."""

    def embed(t, level):
        rows = []
        for i in range(t.rows):
            for place, cell in enumerate(t.row(i)):
                rows.append(direction(cell) + (0 if place < 2 else 0.8 * direction(f"row {i} {place}")))
        return scale * np.array(rows)

    return Formula(embed)


def test_a_translation_is_found_and_scale_does_not_matter(probe):
    tables = [table(TOWNS, LANDS, SHOPS, MOODS, name=f"t{i}") for i in range(3)]
    one, ten = (values(probe(dependency_model(s), *tables), "functional_dependencies", "cell") for s in (1, 10))
    assert one["contrast"] > 0.9
    assert ten == pytest.approx(one, rel=1e-4)


def test_groups_of_one_row_do_not_count(probe):
    singles = table([f"a{i}" for i in range(9)], [f"b{i}" for i in range(9)])
    assert repeated(singles, 0, 1) == ()
    found = result(probe(reference("bag-of-words"), singles), "functional_dependencies", "cell")
    assert (found.verdict, found.skipped) == ("not applicable", {"no-dependency": 1})


# P5: samples ----------------------------------------------------------------------------------------------------------


def test_all_rows_are_the_table_and_more_rows_are_nearer(probe):
    found = result(probe(reference("bag-of-words")), "sample_fidelity")
    curve = {float(share): estimate.value for share, estimate in found.curve.items()}
    assert curve[1.0] == pytest.approx(1, abs=1e-6)
    assert sorted(curve, key=curve.get) == sorted(curve)


def test_a_constant_column_samples_perfectly(probe):
    same = [table(["x"] * 12, [f"y{i}"] * 12, name=f"t{i}") for i in range(3)]
    model = Formula(lambda t, level: [np.mean([direction(c) for c in column], axis=0) for column in t.columns])
    assert values(probe(model, *same), "sample_fidelity")["cosine"] == pytest.approx(1, abs=1e-6)


# P6: entities ---------------------------------------------------------------------------------------------------------


def test_entities_keep_their_neighbours_where_context_has_no_part(probe):
    data = generate(12, 20)
    from tablelens.probes.embedding import Embedder
    from tablelens.probes.runner import Probe

    whole = Probe(data, Embedder(reference("bag-of-words")), 7)
    found = values(whole, "entity_stability", "cell")
    assert found["overlap"] == pytest.approx(1)
    assert found["cka"] == pytest.approx(1)
    torn = values(Probe(data, Embedder(reference("random")), 7), "entity_stability", "cell")
    assert abs(torn["overlap"]) < 0.1


# P7: perturbations ----------------------------------------------------------------------------------------------------


def test_values_only_ignores_headers_and_header_only_ignores_values(probe):
    cells = Formula(lambda t, level: [sum(direction(c) for c in column) for column in t.columns])
    heads = Formula(lambda t, level: [direction(name) for name in t.header])
    kinds = result(probe(cells), "perturbation_robustness").curve
    assert (kinds["synonym"].value, kinds["abbreviation"].value) == (pytest.approx(1), pytest.approx(1))
    kinds = result(probe(heads), "perturbation_robustness").curve
    assert (kinds["content"].value, kinds["untouched beside synonyms"].value) == (pytest.approx(1), pytest.approx(1))
    assert abs(kinds["random header"].value) < 0.1


def test_one_swapped_header_word_among_n(probe):
    n = 9
    model = Formula(
        lambda t, level: [
            sum(unit_vectors([int(c)])[0] for c in column) + np.eye(64)[60 + len(name) % 4]
            for name, column in zip(t.header, t.columns, strict=True)
        ]
    )
    tables = [table(range(i, i + n), header=("country",), name=f"t{i}") for i in range(2)]
    kinds = result(probe(model, *tables), "perturbation_robustness").curve
    assert kinds["synonym"].value == pytest.approx(n / (n + 1), abs=1e-6)  # country and nation differ in length


def test_only_the_columns_that_changed_are_compared_by_position(probe):
    found = result(probe(reference("bag-of-words")), "perturbation_robustness")
    assert found.curve["untouched beside synonyms"].value == pytest.approx(1)
    assert found.curve["synonym"].value < 1


# P8: context ----------------------------------------------------------------------------------------------------------


def test_a_leak_of_context_moves_a_column_by_its_closed_form(probe):
    leak, k = 0.2, 5

    def embed(t, level):
        own = np.array([np.eye(64)[int(column[0][1:])] for column in t.columns])
        return (1 - leak) * own + leak * own.mean(axis=0)

    wide = [table(*[[f"a{i + 5 * j}"] * 4 for i in range(k)], name=f"t{j}") for j in range(2)]
    types = {(f"t{j}", i): f"kind {i}" for j in range(2) for i in range(k)}
    found = values(probe(Formula(embed), *wide, types=types), "heterogeneous_context")
    assert found["cosine whole"] == pytest.approx(0.99550, abs=1e-4)


def test_first_and_last_columns_have_neighbours_of_their_own_table(probe):
    """Released code kept the neighbours of the table before where the target was the first column."""
    seen = []

    def embed(t, level):
        seen.append(t)
        return unit_vectors(range(t.width))

    pair = [table("ab", "cd", "ef", name="x"), table("gh", "ij", "kl", name="y")]
    types = {(name, place): "t" for name in "xy" for place in (0, 2)}
    result(probe(Formula(embed), *pair, types=types), "heterogeneous_context")
    assert {len(t.columns) for t in seen} == {1, 2, 3}
    assert {cell for t in seen if t.name == "y" for column in t.columns for cell in column} == set("ghijkl")


# ours -----------------------------------------------------------------------------------------------------------------


def test_rows_torn_apart_are_noticed_by_a_hash_of_rows_and_a_bag_is_blind(probe):
    rows = Formula(lambda t, level: [sum(direction(" ".join(t.row(i))) for i in range(t.rows))])
    found = result(probe(rows), "row_alignment", "table")
    assert (found.estimates["accuracy"].value, found.estimates["ties"].value) == (1, 0)
    blind = result(probe(reference("bag-of-words")), "row_alignment", "table")
    assert (blind.verdict, blind.estimates["ties"].value) == ("not applicable", 1)
    assert "tie" in blind.why


def test_size_of_numbers_is_read_where_it_is_written(probe):
    def embed(t, level):
        logs = [np.log10(np.mean([float(c) for c in column])) for column in t.columns]
        return [[np.cos(x / 5), np.sin(x / 5), 0.1] for x in logs]

    assert values(probe(Formula(embed)), "numeric_fidelity")["mean r2"] > 0.95
    assert result(probe(reference("random")), "numeric_fidelity").verdict == "fail"


def test_dropout_that_was_left_on_is_found(probe):
    """As in the released TURL scripts, where it made the same table differ from itself."""
    rng = np.random.default_rng(1)
    model = Formula(lambda t, level: (rng.random((t.width, 400)) > 0.1) * np.sin(np.arange(1, 401) * (1 + t.width)))
    found = result(probe(model), "determinism")
    assert found.verdict == "fail"
    assert found.estimates["again"].value < 0.97


def test_types_are_told_apart(probe):
    good = values(probe(reference("bag-of-words")), "semantic_discrimination")["type auc"]
    chance = values(probe(reference("random")), "semantic_discrimination")["type auc"]
    assert good > 0.7 > 0.6 > chance


def test_what_does_not_fit_is_counted(probe):
    whole = table([f"a{i}" for i in range(30)], [f"b{i}" for i in range(30)])
    short = Formula(lambda t, level: unit_vectors(range(t.width)), fit=1)
    found = result(probe(short, whole, whole), "row_order")
    assert (found.verdict, found.skipped) == ("not applicable", {"does-not-fit": 2})


def test_retrieval_is_stable_where_the_encoder_is(probe):
    assert values(probe(reference("bag-of-words")), "retrieval_stability")["overlap"] > 0.5
    assert values(probe(reference("random")), "retrieval_stability")["overlap"] < 0.2


# bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (lambda t, level: np.full((t.width, 4), np.nan), "encoder-nan"),
        (lambda t, level: np.ones((t.width + 1, 4)), "encoder-shape"),
        (lambda t, level: np.ones(t.width), "encoder-shape"),
        (lambda t, level: np.empty((t.width, 0)), "encoder-shape"),
        (lambda t, level: 1 / 0, "encoder-raised: ZeroDivisionError"),
    ],
)
def test_a_broken_model_fails_with_a_counted_reason(bad, reason, probe):
    for prop in PROPERTIES:
        if "column" not in prop.meta.levels or prop.meta.id == "truncation_coverage":
            continue
        found = measure(probe(Formula(bad, levels=("column",))), prop, "column", SMALL)
        assert found.verdict in ("fail", "not applicable"), prop.meta.id
        assert reason in found.skipped or "no-vectors" in found.skipped, (prop.meta.id, found.skipped)
        assert not found.estimates


def test_a_fault_on_one_table_is_kept_to_that_table_and_is_no_pass(probe, dataset):
    broken = dataset.tables[0].title, dataset.tables[0].header

    def embed(t, level):
        if (t.title, t.header) == broken:
            raise RuntimeError("no")
        return [direction(" ".join(sorted(column))) for column in t.columns]

    found = result(probe(Formula(embed)), "row_order")
    assert found.tables == len(dataset.tables) - 1
    assert (found.faults, found.verdict) == (1, "fail")
    assert found.skipped == {"encoder-raised: RuntimeError": 1}


def test_small_and_empty_tables_are_counted_and_not_lost(probe):
    tables = [
        table(["a"], ["b"], name="one row"),
        table("abcdefghi", name="one column"),
        table([""] * 9, [""] * 9, name="empty cells"),
        table([], [], name="no rows"),
        table(name="nothing"),
    ]
    for prop in PROPERTIES:
        for level in prop.meta.levels:
            found = measure(probe(reference("bag-of-words"), *tables), prop, level, SMALL)
            assert all(np.isfinite(e.value) for e in found.estimates.values())
            if prop.meta.id in ("row_order", "column_order", "sample_fidelity"):
                assert found.tables + sum(found.skipped.values()) == len(tables)


def test_a_level_that_a_model_has_not_is_not_applicable(probe, dataset):
    found = result(probe(Formula(lambda t, level: None, levels=("row",))), "row_order", "column")
    assert (found.verdict, found.skipped) == ("not applicable", {"level": len(dataset.tables)})


def test_a_skip_carries_its_reason():
    with pytest.raises(Skip) as error:
        raise Skip("no-pair")
    assert error.value.reason == "no-pair"


def test_content_is_told_by_cells_and_not_by_names():
    one, two = table("ab", name="x"), table("ab", name="x")
    assert content(one) == content(two)
    assert content(one) != content(one.with_column(0, name="other"))
