"""The estimators: learning, other columns, bad input, saving, scikit-learn's own checks."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

torch = pytest.importorskip("torch")
sklearn = pytest.importorskip("sklearn")

from sklearn.base import clone  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.metrics import r2_score, roc_auc_score  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from tablelens.errors import ModelError, UnusableTable, UsageError  # noqa: E402
from tablelens.transtab import TransTabClassifier, TransTabEncoder, TransTabRegressor  # noqa: E402

SMALL = {"members": 1, "width": 16, "heads": 2, "layers": 1, "hidden": 16}
BY_DESIGN = "tables with other columns are what TransTab is for"
FLOAT32 = "of numbers near 0 it allows 1e-7, and sums of float32 differ by 1e-6 between batches of other sizes"
OTHER_COLUMNS = {
    "check_n_features_in_after_fitting": BY_DESIGN,
    "check_estimators_partial_fit_n_features": BY_DESIGN,
    "check_transformer_general": BY_DESIGN,
    "check_classifiers_train": BY_DESIGN,
    "check_dataframe_column_names_consistency": BY_DESIGN,
}


@pytest.mark.slow
@parametrize_with_checks(
    [
        TransTabClassifier(**SMALL | {"width": 32}, epochs=60, rate=0.01),
        TransTabRegressor(**SMALL, epochs=25, rate=0.01),
        TransTabEncoder(**SMALL, epochs=2),
    ],
    expected_failed_checks=lambda estimator: (
        OTHER_COLUMNS
        | ({"check_methods_subset_invariance": FLOAT32} if isinstance(estimator, TransTabClassifier) else {})
    ),
)
def test_it_is_an_estimator(estimator, check):
    check(estimator)


def test_it_learns_what_tells_the_classes_apart(wines):
    table, label = wines
    model = TransTabClassifier(epochs=8, members=2, rate=2e-3).fit(table.slice(0, 150), label[:150])
    scores = model.predict_proba(table.slice(150))
    assert scores.shape == (50, 2)
    assert roc_auc_score(label[150:] == "light", scores[:, 1]) > 0.85
    np.testing.assert_allclose(scores.sum(1), 1)
    assert set(model.predict(table.slice(150))) <= {"heavy", "light"}
    assert len(model.history_) == 2


@pytest.mark.parametrize("cells", ["fused", "words"])
def test_one_seed_gives_one_model(wines, cells):
    table, label = wines
    options = SMALL | {"epochs": 2, "cells": cells, "words": "random"}
    first, second = (TransTabClassifier(**options).fit(table, label).predict_proba(table) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("kind", [TransTabClassifier, TransTabRegressor, TransTabEncoder])
def test_what_a_row_gives_is_its_own(wines, kind):
    """As scikit-learn's check has it, at what float32 can hold: alone, in another order, or among others."""
    table, _ = wines
    model = kind(**SMALL, epochs=4, rate=0.01).fit(table, np.arange(200) % 2)
    order = np.random.default_rng(0).permutation(200)
    for name in {"transform", "predict_proba", "predict"} & set(dir(model)):
        ask = getattr(model, name)
        whole = ask(table)
        alone = np.concatenate([ask(table.slice(row, 1)) for row in range(0, 200, 10)])
        np.testing.assert_allclose(alone, whole[::10], atol=1e-5)
        np.testing.assert_allclose(ask(table.take(order)), whole[order], atol=1e-5)


def test_three_classes(wines):
    table, _ = wines
    place = table["place"].to_pylist()
    label = [2 if name == "Jura" else 1 if name == "Douro" else 0 for name in place]
    model = TransTabClassifier(**SMALL | {"width": 32}, epochs=25, rate=5e-3).fit(table, label)
    assert model.predict_proba(table).shape == (200, 3)
    assert (model.predict(table) == label).mean() > 0.9


def test_a_regressor_predicts_in_the_targets_unit(wines):
    table, _ = wines
    years = np.nan_to_num(np.array(table["year"].to_pylist(), float), nan=1980.0)
    model = TransTabRegressor(**SMALL | {"width": 32}, epochs=40, rate=5e-3).fit(table, 1000 * years)
    assert r2_score(1000 * years, model.predict(table)) > 0.8


def test_it_learns_on_from_a_table_with_other_columns(wines):
    table, label = wines
    model = TransTabClassifier(**SMALL, epochs=3).fit(table.select(["wine_colour"]), label)
    model.partial_fit(table.select(["year", "sweet", "place"]), label)
    assert set(model.featurizer_.kinds) == set(table.column_names)
    assert model.predict_proba(table).shape == (200, 2)
    assert model.predict_proba(as_unseen(table)).shape == (200, 2)


def test_it_does_not_forget_what_another_table_told(wines):
    table, label = wines
    colours, told = table.select(["wine_colour"]), {}
    other = {"colour": np.where(label == "light", "red", "white")}  # the same words say the opposite there
    for recall in (0, 150):
        model = TransTabClassifier(**SMALL, epochs=20, rate=0.02, recall=recall).fit(colours, label)
        for _ in range(2):
            model.partial_fit(other, label)
        told[recall] = roc_auc_score(label == "light", model.predict_proba(colours)[:, 1])
        assert {rows.columns[0][0] for rows, _, _ in model.recalled_} == (
            {"wine_colour", "colour"} if recall else set()
        )
        assert recall - 3 < sum(len(rows) for rows, _, _ in model.recalled_) <= recall or not recall
        assert roc_auc_score(label == "light", model.predict_proba(other)[:, 1]) > 0.99
    assert told[0] < 0.5
    assert told[150] > 0.9


def as_unseen(table):
    return table.rename_columns([f"other {name}" for name in table.column_names])


def test_partial_fit_first_takes_the_classes(wines):
    table, label = wines
    model = TransTabClassifier(**SMALL, epochs=1)
    model.partial_fit(table.slice(0, 20), ["heavy"] * 20, classes=["heavy", "light", "rosé"])
    assert model.predict_proba(table).shape == (200, 3)
    with pytest.raises(UnusableTable, match="not there at first"):
        model.partial_fit(table, np.where(label == "heavy", "heavy", "brown"))


@pytest.mark.parametrize("kind", [TransTabClassifier, TransTabRegressor, TransTabEncoder])
def test_it_is_what_it_was_after_saving(wines, tmp_path, kind):
    table, label = wines
    target = {"TransTabClassifier": label, "TransTabRegressor": np.arange(200.0), "TransTabEncoder": None}[
        kind.__name__
    ]
    model = kind(**SMALL | {"members": 2}, epochs=2).fit(table, target)
    model.save(tmp_path)
    again = kind.load(tmp_path)
    np.testing.assert_allclose(again.transform(table), model.transform(table), atol=1e-3)
    if target is not None:
        np.testing.assert_allclose(
            np.asarray(again.predict(table) == model.predict(table)).mean() if kind is TransTabClassifier else 1.0, 1.0
        )
    assert again.get_params() == model.get_params()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors", "vocab.txt"]


def test_a_model_of_the_default_form_is_below_two_megabytes(wines, tmp_path):
    table, label = wines
    TransTabClassifier(members=1, epochs=1).fit(table, label).save(tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_size < 2 * 2**20


def test_a_damaged_or_foreign_checkpoint_is_refused(wines, tmp_path):
    table, label = wines
    TransTabClassifier(**SMALL, epochs=1).fit(table, label).save(tmp_path)
    with pytest.raises(ModelError, match="holds a TransTabClassifier"):
        TransTabRegressor.load(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"format": 99}))
    with pytest.raises(ModelError, match="format 99"):
        TransTabClassifier.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "vocab.txt").write_text("[UNK]\n")
    with pytest.raises(ModelError, match="damaged"):
        TransTabClassifier.load(tmp_path)
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(ModelError, match=r"vocab\.txt"):
        TransTabClassifier.load(tmp_path)


def test_bad_targets_are_named(wines):
    table, label = wines
    model = TransTabClassifier(**SMALL, epochs=1)
    with pytest.raises(UnusableTable, match="one class only"):
        model.fit(table, ["heavy"] * 200)
    with pytest.raises(UnusableTable, match="1 of 200 targets are missing"):
        model.fit(table, [None, *label[1:]])
    with pytest.raises(UnusableTable, match="200 rows and 3 targets"):
        model.fit(table, label[:3])
    with pytest.raises(UnusableTable, match="no numbers"):
        TransTabRegressor(**SMALL).fit(table, label)
    with pytest.raises(UnusableTable, match="minimum of 1"):
        model.fit(table.slice(0, 0), [])
    with pytest.raises(UsageError, match="members is 0"):
        TransTabClassifier(members=0).fit(table, label)
    with pytest.raises(NotFittedError):
        TransTabClassifier().predict(table)


def test_columns_without_a_value_and_constant_ones_do_no_harm(wines):
    table, label = wines
    odd = table.append_column("void", pa.nulls(200)).append_column("same", pa.array([7.0] * 200))
    odd = odd.append_column("nan", pa.array([float("nan")] * 200))
    assert np.isfinite(TransTabClassifier(**SMALL, epochs=1).fit(odd, label).predict_proba(odd)).all()


def test_a_loss_that_is_not_finite_is_an_error(wines):
    table, label = wines
    model = TransTabClassifier(**SMALL, epochs=2).fit(table, label)
    with torch.no_grad():
        model.models_[0].cls.fill_(float("nan"))
    with pytest.raises(ModelError, match="smaller rate"):
        model.partial_fit(table, label)


def test_pretraining_by_contrast_runs(wines):
    table, label = wines
    model = TransTabClassifier(**SMALL, epochs=2, pretrain="self").fit(table, label)
    assert len(model.history_) == 1
    assert clone(model).get_params()["pretrain"] == "self"


def test_an_encoder_pulls_rows_apart(wines):
    table, _ = wines
    made = TransTabEncoder(epochs=5, rate=1e-3, width=32, heads=4).fit(table)
    assert made.history_[0].train[-1] < made.history_[0].train[0]
    vectors = made.transform(table)
    assert vectors.dtype == np.float32
    assert len(np.unique(vectors.round(4), axis=0)) > 150


def test_pandas_categories_and_index_do_not_matter(wines):
    table, label = wines
    frame = table.to_pandas()
    odd = frame.assign(place=pd.Categorical(frame["place"])).set_index(np.arange(200) * 3)
    first = TransTabClassifier(**SMALL, epochs=1).fit(frame, label).predict_proba(frame)
    second = TransTabClassifier(**SMALL, epochs=1).fit(odd, label).predict_proba(odd)
    np.testing.assert_allclose(first, second, atol=1e-6)
