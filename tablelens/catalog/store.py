"""The one door to the catalogue file.

One process writes; DuckDB's own lock sees to it. Readers take the snapshots that each crawl leaves (``snapshot``), so
a crawl and any number of readers go on side by side. Every write is one transaction: after a kill the catalogue is
what some prefix of the commits made it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from tablelens.catalog import rows
from tablelens.catalog.migrate import migrate
from tablelens.catalog.models import CrawlRow, FileRow, GenerationRow, LakeRow, Meta, VerdictRow
from tablelens.errors import CatalogError, CatalogLocked, UnknownLake, UsageError
from tablelens.types import FileOutcome, Hashes, Verdict

INDEXED = "indexed"
SPARE = 10_000
"""Vectors that no column has which are kept in any case."""
_UNUSED = """NOT EXISTS (
    SELECT 1 FROM contents c WHERE c.content = e.content AND c.revision = e.revision)"""
_HEADERS = 3 * 4096
"""Bytes of the headers with which every DuckDB file begins."""
_LOCK = re.compile(r"Conflicting lock is held in (.*?) \(PID (\d+)\)")


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What the catalogue remembers of a file, to tell whether it must be read again."""

    id: int
    size: int
    mtime_ns: int
    digest: str
    config: str
    reason: str
    error: str
    attempts: int


class Catalog:
    """An open catalogue. Use it as a context manager, or call ``close``.

    Raises:
        CatalogLocked: another process is writing.
        CatalogVersion: the file was written by a newer tablelens.
        CatalogError: the file is damaged or cannot be opened.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._next: dict[str, int] = {}
        arguments = {"read_only": read_only, "config": {"python_enable_replacements": False}}
        # no rollback when the connection is given back: after a fatal error DuckDB would refuse it, loudly
        self._engine = sa.create_engine(
            f"duckdb:///{path}", poolclass=NullPool, pool_reset_on_return=None, connect_args=arguments
        )
        try:
            if not read_only:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = self._connect(read_only)
        except OSError as error:
            raise CatalogError(f"cannot make the folder of the catalogue: {error}", "choose another --home") from error
        except sa.exc.DBAPIError as error:
            raise _opening_error(path, error) from error
        try:
            migrate(self._connection, read_only=read_only)
        except sa.exc.DBAPIError as error:
            self.close()
            raise _opening_error(path, error) from error
        except CatalogError:
            self.close()
            raise

    def _connect(self, read_only: bool) -> sa.Connection:
        try:
            return self._engine.connect()
        except sa.exc.DBAPIError as error:
            unborn = self.path.is_file() and self.path.stat().st_size < _HEADERS
            if read_only or not unborn or "lock" in str(error.orig).lower():
                raise
            self.path.unlink()  # whoever made the file was killed before anything was in it
            return self._engine.connect()

    def close(self) -> None:
        """Give the file back."""
        with suppress(sa.exc.DBAPIError):
            self._connection.close()
        self._engine.dispose()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose work is committed at the end, or undone if it raises."""
        session = Session(self._connection, expire_on_commit=False)
        try:
            yield session
            session.commit()
        except (sa.exc.DBAPIError, duckdb.Error) as error:
            raise CatalogError(f"cannot use the catalogue {self.path}: {_reason(error)}", _cure(error)) from error
        finally:
            with suppress(sa.exc.DBAPIError):  # after a fatal error DuckDB refuses even to roll back
                session.close()

    # lakes and crawls ------------------------------------------------------------------------------------------

    def lakes(self) -> list[tuple[int, str, str]]:
        """(id, name, root) of each lake."""
        with self.transaction() as session:
            return [
                (lake.id, lake.name, lake.root) for lake in session.scalars(sa.select(LakeRow).order_by(LakeRow.id))
            ]

    def lake(self, name: str, root: str) -> int:
        """The id of a lake; made if it is new.

        Raises:
            UsageError: the name belongs to another root.
        """
        for id_, known, where in self.lakes():
            if known == name and where == root:
                return id_
            if known == name:
                raise UsageError(
                    f"lake {name!r} is already {where}, not {root}",
                    f"give this one another --lake name, or `tablelens forget {name}` first",
                )
        with self.transaction() as session:
            session.add(LakeRow(id=self._take("lakes"), name=name, root=root))
        return self._next["lakes"] - 1

    def drop_lake(self, name: str) -> None:
        """Forget a lake and all that belongs to it."""
        known = {known: id_ for id_, known, _ in self.lakes()}
        if name not in known:
            raise UnknownLake.among("lake", name, known, "`tablelens status` lists the lakes")
        self.remove(known[name], list(self.known_files(known[name])))
        with self.transaction() as session:
            session.execute(sa.delete(LakeRow).where(LakeRow.id == known[name]))

    def begin_crawl(self, lake_id: int) -> int:
        """Note that a crawl runs; earlier ones that never ended are marked as interrupted."""
        number = self._take("crawls")
        with self.transaction() as session:
            session.execute(
                sa.update(CrawlRow)
                .where(CrawlRow.state == "running", CrawlRow.lake_id == lake_id)
                .values(state="interrupted")
            )
            session.add(CrawlRow(id=number, lake_id=lake_id, started_at=_now(), state="running"))
        return number

    def end_crawl(self, number: int, report: dict[str, Any]) -> None:
        """Note that a crawl is done."""
        with self.transaction() as session:
            session.execute(
                sa.update(CrawlRow)
                .where(CrawlRow.id == number)
                .values(state="done", finished_at=_now(), report=json.dumps(report))
            )

    # files -----------------------------------------------------------------------------------------------------

    def known_files(self, lake_id: int) -> dict[str, KnownFile]:
        """What is known of each file of a lake, by path."""
        names = ("path", "id", "size", "mtime_ns", "digest", "config", "reason", "error", "attempts")
        found = self.arrow(f"SELECT {', '.join(names)} FROM files WHERE lake_id = {int(lake_id)}")
        return {row[0]: KnownFile(*row[1:]) for row in zip(*(found[name].to_pylist() for name in names), strict=True)}

    def touch(self, files: Sequence[tuple[int, int]]) -> None:
        """New modification times, (file id, mtime in ns), of files whose content is as it was."""
        with self.transaction() as session:
            for id_, mtime_ns in files:
                session.execute(sa.update(FileRow).where(FileRow.id == id_).values(mtime_ns=mtime_ns))

    def remove(self, lake_id: int, paths: Sequence[str]) -> None:
        """Forget files with their tables, columns and vectors. Their ids are not given out again."""
        if not paths:
            return
        following = {name: self._peek(name) for name in ("files", "tables", "columns")}
        with self.transaction() as session:
            self._delete(session, lake_id, paths)
            for name, number in following.items():
                session.merge(Meta(key=f"next_{name}", value=str(number)))
            session.merge(Meta(key=INDEXED, value="0"))

    def store(self, lake_id: int, config: str, outcomes: Sequence[tuple[FileOutcome, int]]) -> None:
        """Put (outcome, attempts) of some files in place of what was known of them, in one transaction."""
        start = {name: self._peek(name) for name in ("files", "tables", "columns")}
        made = rows.from_outcomes(lake_id, config, outcomes, start)
        with self.transaction() as session:
            self._delete(session, lake_id, [outcome.file.path for outcome, _ in outcomes])
            for name, table in made.items():
                _insert(session, name, table)
            session.merge(Meta(key=INDEXED, value="0"))
        for name, number in start.items():
            self._next[name] = number + made[name].num_rows

    # columns and vectors --------------------------------------------------------------------------------------

    def columns(self) -> pa.Table:
        """All columns, ascending by id, with what the index keeps of them (see ``rows.COLUMNS_SQL``)."""
        return self.arrow(rows.COLUMNS_SQL)

    def value_sets(self) -> tuple[Hashes, npt.NDArray[np.int64]]:
        """All value hashes end to end in the order of ``columns()``, and how many each column has."""
        found = self.arrow("SELECT CASE WHEN excluded = '' THEN hashes ELSE [] END AS h FROM columns ORDER BY id")
        lists = found["h"].combine_chunks() if found["h"].num_chunks != 1 else found["h"].chunk(0)
        offsets = lists.offsets.to_numpy()
        return lists.values.to_numpy()[offsets[0] : offsets[-1]], np.diff(offsets).astype(np.int64)

    def alignments(self) -> pa.Table:
        """All alignments, ascending by table id: ``table_id``, ``positions``, ``cells``."""
        return self.arrow("SELECT table_id, positions, cells FROM alignments ORDER BY table_id")

    def embeddings(self, revision: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """(column ids, vectors (n, d)) of the columns that one encoder has read, ascending by id."""
        found = self.arrow("SELECT column_id, vector FROM embeddings WHERE revision = ? ORDER BY column_id", [revision])
        if not found.num_rows:
            return np.empty(0, np.int64), np.empty((0, 0), np.float32)
        flat = found["vector"].combine_chunks().flatten().to_numpy()
        return found["column_id"].to_numpy(), flat.reshape(found.num_rows, -1)

    def encoded(self, revision: str) -> Hashes:
        """The contents of which one encoder has made a vector, whether a column still has them or not."""
        found = self.arrow("SELECT content FROM encoded WHERE revision = ?", [revision])
        return np.asarray(found["content"].to_numpy())

    def store_vectors(self, contents: Hashes, vectors: npt.NDArray[np.float32], encoder: str, revision: str) -> None:
        """Keep the vectors, float32 (n, d), of contents that have none of this encoder yet."""
        flat, n = pa.array(np.ascontiguousarray(vectors, np.float32).reshape(-1)), len(contents)
        rows_of = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]).cast(pa.list_(pa.float32()))
        names = {"revision": revision, "encoder": encoder, "dtype": "float32"}
        made = {"content": pa.array(contents), **{name: pa.array([value] * n) for name, value in names.items()}}
        with self.transaction() as session:
            _insert(session, "encoded", pa.table({**made, "vector": rows_of}))

    def contents(self, revision: str) -> tuple[npt.NDArray[np.int64], Hashes]:
        """(column ids, what their vectors are made of) of the columns that one encoder has read."""
        found = self.arrow("SELECT column_id, content FROM contents WHERE revision = ?", [revision])
        return found["column_id"].to_numpy(), found["content"].to_numpy()

    def set_contents(self, ids: npt.NDArray[np.int64], contents: Hashes, revision: str) -> None:
        """Say what the vector of each column is made of, in place of all that was said before.

        Vectors that no column has any more are kept until they are as many as those that one has.
        """
        table = pa.table({"column_id": ids, "content": contents, "revision": pa.array([revision] * len(ids))})
        with self.transaction() as session:
            _raw(session).execute("DELETE FROM contents")
        with self.transaction() as session:  # a key deleted and inserted in one transaction would be refused
            _insert(session, "contents", table)
        if self.spare_vectors() > max(len(ids), SPARE):
            self.forget_vectors()

    def forget_vectors(self) -> int:
        """Let go of vectors that no column has; their number."""
        spare = self.spare_vectors()
        with self.transaction() as session:
            _raw(session).execute(f"DELETE FROM encoded e WHERE {_UNUSED}")
        return spare

    def spare_vectors(self) -> int:
        """How many vectors no column has."""
        return int(self.arrow(f"SELECT count(*) AS n FROM encoded e WHERE {_UNUSED}")["n"][0].as_py())

    # verdicts --------------------------------------------------------------------------------------------------

    def verdicts(self) -> list[Verdict]:
        """What people said of pairs of columns, the oldest first."""
        with self.transaction() as session:
            found = session.scalars(sa.select(VerdictRow).order_by(VerdictRow.decided_at)).all()
        return [_verdict(row) for row in found]

    def decide(self, verdict: Verdict) -> None:
        """Keep a verdict, in place of an earlier one on the same pair."""
        with self.transaction() as session:
            session.merge(VerdictRow(**_sides(verdict), joins=verdict.joins, note=verdict.note, decided_at=_now()))

    def undecide(self, verdict: Verdict) -> bool:
        """Forget the verdict on a pair; whether there was one."""
        with self.transaction() as session:
            row = session.get(VerdictRow, tuple(_sides(verdict).values()))
            if row is not None:
                session.delete(row)
        return row is not None

    # generations -----------------------------------------------------------------------------------------------

    def indexed(self) -> int:
        """The number of the generation that was made of just what is in the catalogue; 0 where there is none."""
        with self.transaction() as session:
            return int(session.scalar(sa.select(Meta.value).where(Meta.key == INDEXED)) or 0)

    def next_generation(self) -> int:
        """The number of the next index generation."""
        return self._peek("generations", "number")

    def add_generation(self, number: int, encoder: str, revision: str, columns: int) -> None:
        """Note a finished generation."""
        with self.transaction() as session:
            session.merge(Meta(key=INDEXED, value=str(number)))
            session.add(
                GenerationRow(number=number, created_at=_now(), encoder=encoder, revision=revision, columns=columns)
            )
        self._next.pop("generations", None)

    def store_probes(self, table: pa.Table) -> None:
        """Keep what a probe run found. Columns of the table as in ``ProbeRow``."""
        with self.transaction() as session:
            _insert(session, "probe_results", table)

    def probes(self, revision: str) -> list[dict[str, Any]]:
        """The newest headline of each property and level of the model of that revision."""
        found = self.arrow(
            """SELECT * FROM probe_results WHERE revision = ? AND headline
               QUALIFY row_number() OVER (PARTITION BY property, level ORDER BY measured_at DESC, run DESC) = 1
               ORDER BY property, level""",
            [revision],
        )
        return list(found.to_pylist())

    def snapshot(self, target: Path, finish: Callable[[Path], None] = lambda _: None) -> None:
        """Copy the catalogue, all commits in it, to a new file that is never changed again.

        Args:
            target: the new file.
            finish: what is still to be written into the copy before it is moved there.
        """
        with self.transaction() as session:
            session.execute(sa.text("CHECKPOINT"))
        partial = target.with_suffix(".tmp")
        # by another process: closing any handle on the file would give up DuckDB's lock on it in this one
        copy = "import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])"
        done = subprocess.run(
            [sys.executable, "-c", copy, str(self.path), str(partial)], capture_output=True, text=True
        )
        if done.returncode:
            partial.unlink(missing_ok=True)
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise CatalogError(f"cannot write the snapshot {target}: {reason}", "make room on the disk and crawl again")
        try:
            finish(partial)
        except CatalogError:
            partial.unlink(missing_ok=True)
            raise
        partial.replace(target)

    def arrow(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """The answer of a query as an Arrow table."""
        with self.transaction() as session:
            return _raw(session).execute(sql, list(parameters)).to_arrow_table()

    # -----------------------------------------------------------------------------------------------------------

    def _delete(self, session: Session, lake_id: int, paths: Sequence[str]) -> None:
        raw = _raw(session)
        raw.register("gone", pa.table({"path": pa.array(list(paths), pa.string())}))
        files = f"SELECT f.id FROM files f SEMI JOIN gone USING (path) WHERE f.lake_id = {int(lake_id)}"
        tables = f"SELECT id FROM tables WHERE file_id IN ({files})"
        raw.execute(f"DELETE FROM contents WHERE column_id IN (SELECT id FROM columns WHERE table_id IN ({tables}))")
        raw.execute(f"DELETE FROM columns WHERE table_id IN ({tables})")
        raw.execute(f"DELETE FROM alignments WHERE table_id IN ({tables})")
        raw.execute(f"DELETE FROM tables WHERE file_id IN ({files})")
        raw.execute(f"DELETE FROM files WHERE id IN ({files})")
        raw.unregister("gone")

    def _peek(self, table: str, key: str = "id") -> int:
        """The next free id of a table; an id is never used twice."""
        if table not in self._next:
            found = self.arrow(
                f"""SELECT greatest(coalesce(max({key}), 0) + 1,
                    (SELECT max(value::BIGINT) FROM meta WHERE key = 'next_{table}')) AS n FROM {table}"""
            )
            self._next[table] = found["n"][0].as_py()
        return self._next[table]

    def _take(self, table: str) -> int:
        number = self._peek(table)
        self._next[table] = number + 1
        return number


def _raw(session: Session) -> Any:
    """The DuckDB connection of the session's own transaction, for Arrow."""
    wrapper: Any = session.connection().connection.driver_connection
    return getattr(wrapper, "_ConnectionWrapper__c", wrapper)


def _insert(session: Session, name: str, table: pa.Table) -> None:
    raw = _raw(session)
    raw.register("fresh", table)
    raw.execute(f"INSERT INTO {name} BY NAME SELECT * FROM fresh")
    raw.unregister("fresh")


def _sides(verdict: Verdict) -> dict[str, str]:
    """The key of a verdict's row: both columns in a fixed order, for a join has no direction."""
    both = sorted((verdict.left, verdict.right))
    return {
        f"{side}_{part}": name
        for side, names in zip(("left", "right"), both, strict=True)
        for part, name in zip(("lake", "table", "column"), names, strict=True)
    }


def _verdict(row: VerdictRow) -> Verdict:
    left = row.left_lake, row.left_table, row.left_column
    right = row.right_lake, row.right_table, row.right_column
    return Verdict(left, right, row.joins, row.note, row.decided_at.isoformat(timespec="seconds"))


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _opening_error(path: Path, error: sa.exc.DBAPIError) -> CatalogError:
    text = _reason(error)
    if lock := _LOCK.search(text):
        return CatalogLocked(
            f"the catalogue {path} is being written by process {lock[2]} ({lock[1]})",
            "wait until that crawl is done, or stop it; queries need no lock and can go on meanwhile",
        )
    return CatalogError(f"cannot open the catalogue {path}: {text.splitlines()[0]}", _cure(error))


def _reason(error: Exception) -> str:
    """DuckDB's own words, without SQLAlchemy's around them."""
    return str(getattr(error, "orig", error))


def _cure(error: Exception) -> str:
    text = _reason(error).lower()
    if "no space" in text or "out of space" in text or "could not write" in text:
        return "make room on the disk and run the same command again: what was committed is kept"
    return "run `tablelens doctor`; if the file is damaged, move it away and crawl again"
