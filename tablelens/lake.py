"""The main path: open a home, crawl a lake, ask what joins.

lake = Lake.open()                        # the nearest .tablelens upward
lake.crawl("data/")
for hit in lake.joins("orders.customer_id").hits:
    print(hit.column, hit.probability, hit.evidence.containment, hit.sql)
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tablelens.catalog import verdicts
from tablelens.catalog.store import Catalog
from tablelens.discover.composite import TABLES, key_places
from tablelens.discover.evidence import Query
from tablelens.discover.joins import Request, explain_join, find_joins
from tablelens.discover.paths import JoinPath, PathFinder
from tablelens.discover.query import query_of_place
from tablelens.discover.source import Source, TableFile, source_of
from tablelens.discover.tables import TableHit, search_tables
from tablelens.discover.verdicts import judged, labelled_pairs, name_of
from tablelens.encoders import lasting_name, models_of
from tablelens.engines.base import Engine
from tablelens.engines.local import LocalEngine
from tablelens.errors import MissingExtra, NoLake, UnknownColumn, UsageError
from tablelens.open_home import OpenHome
from tablelens.pipeline.composite import Run, join_by_key
from tablelens.pipeline.crawl import Plan, Refresh, crawl, forget, make_plan, profile_config
from tablelens.pipeline.explain import Explained, compare_columns, explain_columns, matched_pairs, run_limited
from tablelens.pipeline.train import TrainReport, train
from tablelens.progress import Progress, Silent
from tablelens.training.config import TrainConfig
from tablelens.transtab.tables import typed
from tablelens.types import Answer, CompositeAnswer, CrawlReport, Hit, Mode, RawTable, Verdict

if TYPE_CHECKING:
    from tablelens.augment.search import Augmentation
    from tablelens.transtab.similar import RowIndex, SimilarRow


class Lake(OpenHome):
    """One home with its lakes: crawl them, ask what joins, and why, learn of them."""

    def crawl(
        self,
        path: str | Path,
        name: str | None = None,
        *,
        refresh: Refresh = "changed",
        engine: Engine | None = None,
        progress: Progress | None = None,
    ) -> CrawlReport:
        """Read what is new or changed below a folder (or one file) and index it.

        Raises:
            NotFound: no such folder.
            CatalogLocked: another process is crawling in this home.
            UsageError: the lake's name belongs to another folder.
        """
        root = Path(path).expanduser().resolve()
        self.settings = replace(self.settings, encoder=lasting_name(self.settings.encoder, models_of(self.home)))
        made = engine or LocalEngine(self.settings.workers, self.settings.worker_memory_mb, self.settings.read_seconds)
        try:
            report = crawl(self.home, root, lake_name(root, name), self.settings, made, progress or Silent(), refresh)
        finally:
            if engine is None:
                made.close()
        self.reload()
        return report

    def plan(self, path: str | Path, name: str | None = None) -> Plan:
        """What a crawl of a folder would read, skip and remove."""
        root = Path(path).expanduser().resolve()
        known = {}
        if (self.home / "catalog.duckdb").exists():
            with Catalog(self.home / "catalog.duckdb", read_only=True) as catalog:
                ids = {title: id_ for id_, title, _ in catalog.lakes()}
                known = catalog.known_files(ids.get(lake_name(root, name), 0))
        return make_plan(root, known, profile_config(self.settings), "changed")

    def forget(self, name: str, progress: Progress | None = None) -> None:
        """Forget a lake and all that is known of it; its files stay.

        Raises:
            NoLake, UnknownLake: nothing was crawled here, or no lake of that name.
            CatalogLocked: another process is crawling in this home.
        """
        if not (self.home / "catalog.duckdb").exists():
            raise NoLake(f"nothing has been crawled in {self.home} yet", "tablelens crawl PATH")
        forget(self.home, name, self.settings, progress or Silent())
        self.reload()

    def joins(
        self, column: Any, *, table: str = "", name: str = "", k: int = 10, mode: Mode = "auto", **options: Any
    ) -> Answer:
        """Columns that join with this one, best first.

        Args:
            column: ``"TABLE.COLUMN"`` of the lake, or values: a list, a pandas or polars Series, an Arrow array,
                anything with ``__arrow_c_stream__`` or ``__arrow_c_array__``.
            table: title of the table that outside values come from, a help to vectors.
            name: name of the column that outside values come from.
            k: how many hits at most.
            mode: ``auto`` ranks by probability, ``equi`` by containment, ``semantic`` by the angle of vectors,
                ``deepjoin`` by vectors as the paper does.
            options: fields of ``discover.joins.Request``: lake, tables, kind, per_table, threshold,
                diversity.
        """
        query = self.query(column) if isinstance(column, str) else self.outside_query(column, name, table)
        return self.answer(query, k=k, mode=mode, **options)

    def answer(self, query: Query, *, k: int = 10, mode: Mode = "auto", **options: Any) -> Answer:
        """The same for a query that is made already."""
        return find_joins(query, self._request(k=k, mode=mode, **options), judged=self._judged(query))

    def joins_at(self, place: int, *, k: int = 10, mode: Mode = "auto", **options: Any) -> Answer:
        """The same for a column by its place in the view."""
        return self.answer(query_of_place(self.view, place), k=k, mode=mode, **options)

    def joins_of_file(
        self, path: str | Path, column: str, *, k: int = 10, mode: Mode = "auto", **options: Any
    ) -> Answer:
        """Columns that join with a column of a file outside the lake."""
        table = self.read(path)
        names = table.data.column_names
        if column not in names:
            raise UnknownColumn.among("column", column, names, f"columns of {path}: {', '.join(names[:20])}")
        source = _outside_source(Path(path), table)
        query = self.outside_query(table.data[column], column, Path(path).stem, source=source, columns=names)
        return self.answer(query, k=k, mode=mode, **options)

    def explain(self, left: str, right: str) -> Hit:
        """The evidence on one pair of columns, whether it would be found or not.

        Where values differ, the cells of both files are compared one by one (``evidence.matching``), in a worker
        process with the limits of a crawl.
        """
        return self.explain_at(self.view.parse(left), self.view.parse(right)).hit

    def explain_at(self, left: int, right: int, run: Run | None = None) -> Explained:
        """The same for columns by their places in the view, with the pairs of cells; ``run`` reads files elsewhere."""
        said = judged(self.view, left, self.verdicts())
        return explain_columns(self.view, left, right, said, run or self._worker[1])

    def compare_at(self, left: int, right: int, run: Run | None = None) -> Explained:
        """The same without a look for a composite key: what joining the two columns needs."""
        said = judged(self.view, left, self.verdicts())
        return compare_columns(self.view, left, right, said, run or self._worker[1])

    def composite_joins(
        self, table: str, columns: Sequence[str], *, k: int = 10, lake: str | None = None, tables: str | None = None
    ) -> CompositeAnswer:
        """Tables with columns that match two or three columns of a table together, tuple by tuple.

        Args:
            table: a table of the lake.
            columns: the composite key.
            k: how many tables at most.
            lake: only in this lake.
            tables: only in tables whose name matches this glob.

        Raises:
            UnknownTable, UnknownColumn: as they say.
            UsageError: not two or three columns, or one that takes no part in joins.
        """
        return self.composite_joins_at(key_places(self.view, table, columns), k=k, lake=lake, tables=tables)

    def composite_joins_at(
        self, key: Sequence[int], *, k: int = 10, lake: str | None = None, tables: str | None = None,
        run: Run | None = None,
    ) -> CompositeAnswer:  # fmt: skip
        """The same for columns by their places in the view; ``run`` reads files elsewhere."""
        if not 1 <= k <= TABLES:
            raise UsageError(f"k is {k}", f"k lies between 1 and {TABLES}")
        asked = self.view.matching(lake, tables, None)
        return join_by_key(self.view, key, asked, k, run or self._worker[1])

    def evidence_at(self, left: int, right: int) -> Hit:
        """What value sets and kept cells say of two columns by their places; no file is read."""
        return explain_join(query_of_place(self.view, left), right, judged=judged(self.view, left, self.verdicts()))

    def map_cells(self, left: str, right: str) -> pa.Table:
        """Which cell of one column stands for which of another: a table of left, right, how and score.

        Every distinct cell that has a match is there: how is ``equal``, ``transformed`` or ``similar``, score the
        probability that both mean the same.

        Raises:
            UnreadableFile: a file is not there any more, or cannot be read.
        """
        return self.map_cells_at(self.view.parse(left), self.view.parse(right))

    def map_cells_at(self, left: int, right: int, run: Run | None = None) -> pa.Table:
        """The same for columns by their places in the view."""
        return matched_pairs(self.view, left, right, run or self._worker[1]).table

    @cached_property
    def _worker(self) -> tuple[LocalEngine, Run]:
        return run_limited(self.settings)

    def verdict(self, left: str, right: str, joins: bool | None, note: str = "") -> Verdict:
        """Say whether two columns join, or take it back (``joins=None``). It outlives crawls and ranks at once.

        Confirmed joins come first and denied ones are not shown, in all modes but ``deepjoin``.

        Raises:
            CatalogLocked: a crawl is writing; give it again when that is done.
            UsageError: both are one column; or there is nothing to take back.
        """
        return self.verdict_at(self.view.parse(left), self.view.parse(right), joins, note)

    def verdict_at(self, left: int, right: int, joins: bool | None, note: str = "") -> Verdict:
        """The same for columns by their places in the view."""
        names = [name_of(self.view, place) for place in (left, right)]
        said = Verdict(names[0], names[1], bool(joins), note)
        columns = [f"{table}.{column}" for _, table, column in names]
        if said.left == said.right:
            raise UsageError(f"{columns[0]!r} is one column", "name two columns")
        if not verdicts.change(self.home, said, keep=joins is not None):
            raise UsageError(f"there is no verdict on {' and '.join(columns)}", "`tablelens verdicts` lists them")
        self.__dict__.pop("path_finder", None)
        return said

    def verdicts(self) -> tuple[Verdict, ...]:
        """What people said of pairs of columns, the oldest first."""
        return verdicts.published(self.home)

    def paths(self, left: str, right: str, *, hops: int = 3, k: int = 5) -> list[JoinPath]:
        """Chains of at most ``hops`` joins from one table to another, the surest first."""
        return self.path_finder.paths(left, right, hops, k)

    def search(self, text: str, *, k: int = 10) -> list[TableHit]:
        """Tables by words, over titles, column names and values."""
        return search_tables(self.view, self.words, text, k, self._text_vector(text))

    def augment(
        self,
        table: Any,
        target: str,
        *,
        metric: str | None = None,
        budget: float = 300.0,
        rows: bool = True,
        k: int = 10,
        seed: int = 0,
        told: Callable[[str], None] | None = None,
    ) -> Augmentation:
        """Columns of the lake's tables that help to predict a column, proven by cross-validation.

        Args:
            table: a table of the lake by its name, a file by its ``Path``, or a frame.
            target: the column that is to be predicted.
            metric: ``auc``, ``accuracy``, ``r2`` or ``spearman``; None takes ``auc`` or ``r2``, as fits the target.
            budget: seconds.
            rows: whether TransTab judges too, beside trees; it takes most of the time.
            k: tables that are looked at for each column of the table.
            seed: of folds and models.
            told: is called with the name of each step.

        Raises:
            UnknownColumn: no such target.
            UsageError: too few rows, or a metric that does not fit.
            MissingExtra: scikit-learn or torch is not installed.
        """
        try:
            from tablelens.augment.lake import augment_by_lake  # scikit-learn and torch: for those who augment
        except ModuleNotFoundError as error:
            raise MissingExtra.of(error.name or "torch", "models", "augmenting") from error
        data, query_of = self._columns(table)
        return augment_by_lake(
            data,
            target,
            query_of,
            lambda query: self.answer(query, k=k, per_table=1),
            lambda hit: typed(self.table(f"{hit.column.lake}:{hit.column.table}").data, self.settings),
            self.settings,
            metric=metric,
            budget=budget,
            rows=rows,
            seed=seed,
            told=told or (lambda _: None),
        )

    def index_rows(
        self, tables: str = "*", *, rows: int = 200, epochs: int = 5, told: Callable[[str], None] | None = None
    ) -> RowIndex:
        """Train a row encoder on the first rows of tables, encode them, and keep both in the home.

        A training that was cut off goes on, if tables, rows and epochs are the same.

        Args:
            tables: a glob of table names.
            rows: how many of each table.
            epochs: rounds of the training.
            told: is called with the name of each table that is read, and after each epoch.

        Raises:
            UsageError: no table matches, or none has rows.
            MissingExtra: torch or scikit-learn is not installed.
        """
        similar, view = _rows_module(), self.view
        starts = np.flatnonzero(np.diff(view.table_ids, prepend=-1)).tolist()
        named = [(view.value("lake", place), view.value("table", place)) for place in starts]
        read = []
        for lake, name in named:
            if fnmatch.fnmatchcase(name, tables):
                if told is not None:
                    told(name)
                read.append((lake, name, typed(self.table(f"{lake}:{name}", rows).data, self.settings)))
        if not read:
            raise UsageError(f"no table matches {tables!r}", f"{len(named):,} tables are there: `tablelens status`")
        resume = self.home / "rows.partial"
        made: RowIndex = similar.RowIndex.build(read, epochs=epochs, resume=resume, told=told or (lambda _: None))
        made.save(self.home)
        return made

    def similar_rows(self, table: Any, row: int, *, k: int = 10, others: bool = False) -> list[SimilarRow]:
        """Rows that are like a row of a table, the likest first; with ``others``, of other tables alone.

        A row that was not indexed, as one from outside the lake, is encoded now; that takes torch.

        Args:
            table: a table of the lake by its name, a file by its ``Path``, or a frame.
            row: the row's number, from 0.
            k: how many at most.
            others: leave the rows of the table itself out.

        Raises:
            NoLake: no rows were indexed in this home.
            UnknownTable: no such table.
            UsageError: no such row.
            MissingExtra: the row was not indexed, and torch or scikit-learn is not installed.
        """
        index: RowIndex = _rows_module().RowIndex.load(self.home)
        lakes, own = list(self._generation.roots), None
        if isinstance(table, str):
            place = int(self.view.table_places(table)[0])
            own = self.view.value("lake", place), self.view.value("table", place)
            if index.holds(*own, row):
                return index.similar(own[1], row, k, lake=own[0], others=others, lakes=lakes)
        return index.like(self._row(table, row), k, lakes=lakes, without=own if others else None)

    def row(self, table: str, row: int) -> dict[str, Any]:
        """One row of a table, read from its file; values by column."""
        found = self.preview(table, row + 1).data.slice(row, 1).to_pylist()
        if not found:
            raise UsageError(f"{table!r} has no row {row}", "rows are counted from 0")
        return dict(found[0])

    def _row(self, table: Any, row: int) -> pa.Table:
        """One row of a table, its cells of the kinds that its columns have."""
        data = self.table(table, row + 1).data if isinstance(table, str) else self._columns(table)[0]
        if not 0 <= row < data.num_rows:
            raise UsageError(f"there is no row {row}: the table has {data.num_rows:,}", "rows are counted from 0")
        return typed(data, self.settings).slice(row, 1)

    def _columns(self, table: Any) -> tuple[pa.Table, Callable[[str], Query]]:
        """A table's data, and what makes a query of one of its columns."""
        if isinstance(table, str):
            view = self.view
            places = {view.names[place]: int(place) for place in view.table_places(table)}
            return self.table(table).data, lambda column: query_of_place(view, places[column])
        if isinstance(table, Path):
            read = self.read(table)
            source, names = _outside_source(table, read), read.data.column_names
            return read.data, lambda column: self.outside_query(read.data[column], column, table.stem, source, names)
        data = pa.table(table)
        return data, lambda column: self.outside_query(data[column], column)

    def train(
        self,
        name: str,
        config: TrainConfig | None = None,
        *,
        base: str = "deepjoin-static",
        fresh: bool = False,
        progress: Progress | None = None,
        told: Callable[[dict[str, float]], None] | None = None,
    ) -> TrainReport:
        """Train an encoder on what was crawled; ``crawl`` uses it as ``encoder=name``. See ``pipeline.train.train``.

        What people said of pairs of columns counts as truth.

        Raises:
            TrainingError: too little to learn from, a training that came apart, or nothing better found.
            MissingExtra: torch is not installed.
        """
        said = labelled_pairs(self.view, self.verdicts())
        return train(
            self.home, self._generation, self._made(), name, config or TrainConfig(),
            base=base, fresh=fresh, verdicts=said, progress=progress, told=told,
        )  # fmt: skip

    @cached_property
    def path_finder(self) -> PathFinder:
        """Finds paths between tables, and keeps the joins that it looked up."""
        return PathFinder(self.view, verdicts=self.verdicts())

    def _judged(self, query: Query) -> dict[int, bool]:
        return judged(self.view, query.place, self.verdicts())

    def _request(self, **options: Any) -> Request:
        known = {"threshold": self.settings.threshold, "candidates": self.settings.candidates}
        known |= {"min_distinct": self.settings.min_distinct}
        fields = Request.__dataclass_fields__
        for name in options.keys() - fields.keys():
            raise UsageError(f"unknown option {name!r}", f"known options: {', '.join(fields)}")
        try:
            return Request(**(known | {key: value for key, value in options.items() if value is not None}))
        except TypeError as error:
            raise UsageError(f"an option is of the wrong type: {error}", "numbers are wanted, or text") from error


def _outside_source(path: Path, table: RawTable) -> Source:
    """What a FROM clause reads a file outside the lake with."""
    where = str(path.expanduser().resolve())
    return source_of(TableFile(where, where, table.format, table.reading, table.data.column_names, table.part))


def _rows_module() -> Any:
    """tablelens.transtab.similar, which imports torch, for those who look at rows.

    Raises:
        MissingExtra: torch or scikit-learn is not installed.
    """
    try:
        return import_module("tablelens.transtab.similar")
    except ModuleNotFoundError as error:
        raise MissingExtra.of(error.name or "torch", "models", "encoding rows") from error


def lake_name(root: Path, given: str | None = None) -> str:
    """The name of a lake: the one given, else its folder's."""
    return given or root.name.split(".")[0] or "lake"
