"""A home that is open for reading: its settings, the generation that answers, and what is made of it when asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tablelens.crawl.readers import read_part
from tablelens.discover.evidence import Query
from tablelens.discover.query import query_of_place, query_of_profile
from tablelens.discover.source import YOURS, Source
from tablelens.discover.view import LakeView
from tablelens.encoders import load_encoder, models_of
from tablelens.encoders.base import ColumnEncoder
from tablelens.errors import IndexMismatch, UnknownLake, UsageError
from tablelens.index import generation
from tablelens.index.words import WordIndex
from tablelens.pipeline.texts import column_text
from tablelens.profile.columns import profile_column
from tablelens.profile.outside import outside_column
from tablelens.settings import Settings, find_home
from tablelens.types import ColumnProfile, RawTable


class OpenHome:
    """What of a home is loaded. Reading needs no lock: a crawl may run meanwhile, ``reload`` shows its result."""

    def __init__(self, home: Path, settings: Settings) -> None:
        self.home = home
        self.settings = settings

    @classmethod
    def open(cls, home: str | Path | None = None, **settings: Any) -> Self:
        """The home given, else $TABLELENS_HOME, else the nearest ``.tablelens`` upward.

        Raises:
            SettingError: a setting has a value that it cannot have.
        """
        where = find_home(str(home) if home is not None else None)
        return cls(where, Settings.load(where, **settings))

    @property
    def view(self) -> LakeView:
        """The current generation, as discovery looks at it.

        Raises:
            NoLake: nothing was crawled yet.
            DamagedIndex: a file of the index is not what was written.
        """
        return self._view

    def only(self, lakes: Collection[str]) -> Self:
        """The same home as if it held these lakes alone: no hit, count, path or word tells of the others.

        Raises:
            UnknownLake: one of them is not there.
        """
        known = self._generation.roots
        for name in lakes:
            if name not in known:
                raise UnknownLake.among("lake", name, known, "`tablelens status` lists the lakes")
        part = type(self)(self.home, self.settings)
        made = self._generation.only(lakes)
        part.__dict__ |= {"_generation": made, "words": WordIndex.build(made.columns), "encoder": self.encoder}
        return part

    def reload(self) -> None:
        """Take the newest generation from now on."""
        for name in ("_generation", "_view", "words", "path_finder", "encoder"):
            self.__dict__.pop(name, None)

    def query(self, reference: str) -> Query:
        """A column of the lake as a query."""
        return query_of_place(self.view, self.view.parse(reference))

    def outside_query(
        self, values: Any, name: str = "", title: str = "", source: Source = YOURS, columns: Sequence[str] = ()
    ) -> Query:
        """Values from outside the lake as a query; ``columns`` are the names of all columns of their table."""
        data, called = outside_column(values, name)
        profile = profile_column(data, self.settings, name=called)
        return self.profile_query(profile, title, source, columns)

    def profile_query(
        self, profile: ColumnProfile, title: str = "", source: Source = YOURS, columns: Sequence[str] = ()
    ) -> Query:
        """A column from outside the lake, already profiled, as a query."""
        vectors = None
        if profile.family == "text" and not profile.excluded:
            encoder, postings = self.encoder, self.view.generation.postings
            text = column_text(profile, title, postings, encoder.max_tokens, self._made(), columns, encoder.reads)
            vectors = encoder.encode_queries([text])
        return query_of_profile(self.view, profile, vectors, title, source)

    def table(self, name: str, rows: int | None = None) -> RawTable:
        """A table of the lake, or its first rows, read from its file as the crawl reads it."""
        file = self.view.file(int(self.view.table_places(name)[0]))
        return self.read(file.path, file.part, rows=rows)

    def preview(self, table: str, rows: int = 10) -> RawTable:
        """The first rows of a table."""
        return self.table(table, rows)

    def read(self, path: str | Path, part: str = "", rows: int | None = None) -> RawTable:
        """A file's table as the crawl would read it; ``part`` chooses a sheet of a workbook."""
        if rows is not None and rows < 1:
            raise UsageError(f"rows is {rows}", "ask for 1 row or more")
        settings = self.settings if rows is None else replace(self.settings, max_rows=rows)
        return read_part(Path(path), part, settings)

    @cached_property
    def encoder(self) -> ColumnEncoder:
        """The encoder that made the vectors of the index.

        Raises:
            IndexMismatch: it cannot be had in the revision that made them.
        """
        made = self._generation.encoder
        encoder = load_encoder(str(made["name"]), models_of(self.home))
        if encoder.revision != made["revision"]:
            raise IndexMismatch(
                f"the index was made with revision {made['revision'][:12]} of encoder {made['name']!r}, "
                f"here is {encoder.revision[:12]}",
                "crawl again: columns are encoded anew, no file is read",
            )
        return encoder

    @cached_property
    def words(self) -> WordIndex:
        """The words of its tables."""
        return WordIndex.load(generation.folder_of(self.home, self._generation.number))

    @cached_property
    def _generation(self) -> generation.Generation:
        return generation.load(self.home)

    @cached_property
    def _view(self) -> LakeView:
        return LakeView(self._generation)

    def _made(self) -> Settings:
        """The settings with the template that the index was made with."""
        made = self._generation.encoder
        return replace(self.settings, template=made["template"], stat_unit=made["unit"])

    def _text_vector(self, text: str) -> npt.NDArray[np.float32] | None:
        """A text as a query vector, where the encoder can make one."""
        encode = getattr(self.encoder, "encode_text_queries", None)
        return None if encode is None else encode([text])[0]
