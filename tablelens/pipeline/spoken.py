"""What the SQL of a snapshot cannot tell from the catalogue: names, sources, letters, settings and weights."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tablelens.catalog.snapshot import LETTERS, NAME_WORDS, RENAMED_COLUMNS, SOURCES, SPEECH, TABLE_NAMES, Spoken
from tablelens.discover.condition import unusual_letters
from tablelens.discover.rank import Calibration
from tablelens.discover.view import LakeView
from tablelens.index.names import names_of_table
from tablelens.index.words import WordIndex
from tablelens.profile.names import words as words_of_name
from tablelens.settings import Settings

LAST_LETTER = 0x32000
"""Beyond it there are no letters that count as others."""


def spoken_of(view: LakeView, words: WordIndex, calibration: Calibration, settings: Settings, seal: str) -> Spoken:
    """What the SQL of the snapshot needs of a generation with this seal."""
    ways = calibration.equality, calibration.meaning, calibration.bridge
    weights = [number for way in ways for number in (way.bias, *way.weights)]
    asked = settings.candidates, settings.min_distinct, settings.threshold, *weights
    columns, number = view.generation.columns, view.generation.number
    tables = columns.group_by(["lake", "table", "part", "table_id"]).aggregate([])
    names = pc.unique(columns["column"]).to_pylist()
    sources, renamed = _sources(view)
    return Spoken(
        pa.Table.from_pylist(
            [
                {"name": name, "table_id": row["table_id"], "whole": whole}
                for row in tables.to_pylist()
                for name, whole in names_of_table(row["lake"], row["table"], row["part"])
            ],
            TABLE_NAMES,
        ),
        pa.table([names, [sorted(words_of_name(name)) for name in names]], NAME_WORDS),
        words.by_word(),
        sources,
        renamed,
        _letters(),
        {
            "speech": SPEECH,
            "revision": view.generation.encoder["revision"],
            "threshold": settings.threshold,
            "candidates": settings.candidates,
            "min_distinct": settings.min_distinct,
            "weights": weights,
        },
        f"{number}:{seal}:" + " ".join(map(repr, map(float, asked))),
    )


def _sources(view: LakeView) -> tuple[pa.Table, pa.Table]:
    """What each table is read with, and the columns that DuckDB calls otherwise."""
    sources, renamed = [], []
    for place in np.flatnonzero(np.diff(view.table_ids, prepend=-1)).tolist():
        source, table_id = view.source(place), int(view.table_ids[place])
        sources.append((table_id, source.sql, source.text))
        if source.renamed:
            refs = (view.ref(int(at)) for at in view.places_of(table_id))
            renamed += [(ref.id, source.renamed[ref.column]) for ref in refs if ref.column in source.renamed]
    return _table(sources, SOURCES), _table(renamed, RENAMED_COLUMNS)


@cache
def _letters() -> pa.Table:
    composed = (letter for letter in map(chr, range(128, LAST_LETTER)) if unicodedata.is_normalized("NFC", letter))
    return _table(list(unusual_letters(composed).items()), LETTERS)


def _table(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    return pa.table([pa.array(list(column), field.type) for column, field in zip(columns, schema, strict=True)], schema)
