"""``tablelens.Client(url)``: a running service, with the names of the local API.

client = Client("http://127.0.0.1:8765", key="tl_…")
for hit in client.joins("orders.customer_id").hits:
    print(hit.column, hit.probability, hit.sql)
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx
import pyarrow as pa

from tablelens import errors
from tablelens.discover.paths import JoinPath, Step
from tablelens.discover.tables import TableHit
from tablelens.profile.outside import outside_column
from tablelens.transtab.similar import SimilarRow
from tablelens.types import (
    Answer,
    Bridge,
    CellMatching,
    CellPair,
    ColumnRef,
    CompositeAnswer,
    CompositeHit,
    CrawlReport,
    Evidence,
    Hit,
    Mode,
    Verdict,
)

JOBS_SECONDS = 0.5
"""How often a job is asked how it goes."""
_ARROW = "arrow"
OPTIONS = ("k", "mode", "lake", "tables", "kind", "per_table", "threshold", "diversity")
"""What a search over HTTP can be told."""


class Client:
    """A service over HTTP. Answers are the same dataclasses as ``Lake`` gives, errors the same exceptions.

    Args:
        url: address of the service.
        key: API key; ``$TABLELENS_KEY`` if none is given.
        timeout: seconds that one answer may take.
        transport: what carries the requests, for tests.
    """

    def __init__(
        self, url: str, key: str | None = None, *, timeout: float = 60.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        key = key or os.environ.get("TABLELENS_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    # what Lake offers too --------------------------------------------------------------------------------------

    def joins(
        self, column: Any, *, table: str = "", name: str = "", k: int = 10, mode: Mode = "auto", **options: Any
    ) -> Answer:
        """Columns that join with ``"TABLE.COLUMN"`` of the lake, or with values; see ``Lake.joins``."""
        asked = _asked(k=k, mode=mode, **options)
        if isinstance(column, str):
            return _answer(self._get(f"/v1/columns/{self._column(column)}/joins", **asked))
        data, called = outside_column(column, name)
        body = asked | {"values": [_plain(value) for value in data.to_pylist()], "title": table, "name": called}
        return _answer(self._call("POST", "/v1/joins", json=body).json())

    def joins_of_file(
        self, path: str | Path, column: str, *, k: int = 10, mode: Mode = "auto", **options: Any
    ) -> Answer:
        """Columns that join with a column of a file of this machine, which is sent along."""
        form = {option: str(value) for option, value in _asked(k=k, mode=mode, **options).items()} | {"column": column}
        if not Path(path).is_file():
            raise errors.NotFound(f"no such file: {str(path)!r}", "give an existing file of this machine")
        with Path(path).open("rb") as file:
            files = {"file": (Path(path).name, file)}
            return _answer(self._call("POST", "/v1/joins/file", files=files, data=form).json())

    def explain(self, left: str, right: str) -> Hit:
        """The evidence on one pair of columns, whether it would be found or not."""
        return _hit(self._get(f"/v1/columns/{self._column(left)}/joins/{self._column(right)}/evidence"))

    def map_cells(self, left: str, right: str, rows: int = 100_000) -> pa.Table:
        """Which cell of one column stands for which of another: left, right, how and score."""
        return self._rows(f"/v1/columns/{self._column(left)}/joins/{self._column(right)}/mapping", rows)

    def composite_joins(
        self, table: str, columns: Sequence[str], *, k: int = 10, lake: str | None = None, tables: str | None = None
    ) -> CompositeAnswer:
        """Tables with columns that match two or three columns of a table together; see ``Lake.composite_joins``."""
        asked = {"k": k, "lake": lake, "tables": tables}
        found = self._get(
            f"/v1/tables/{self._table(table)}/joins",
            column=list(columns), **{name: value for name, value in asked.items() if value is not None},
        )  # fmt: skip
        number, hits = found["generation"], tuple(_composite_hit(each) for each in found["hits"])
        return CompositeAnswer(
            found["table"]["name"], tuple(column["name"] for column in found["columns"]), hits, found["seconds"],
            int(number) if number.isdecimal() else -1, tuple(found["notes"]),
        )  # fmt: skip

    def verdict(self, left: str, right: str, joins: bool | None, note: str = "") -> Verdict | None:
        """Say whether two columns join, or take it back (``joins=None``)."""
        path = f"/v1/columns/{self._column(left)}/joins/{self._column(right)}/verdict"
        if joins is None:
            self._call("DELETE", path)
            return None
        return _verdict(self._call("PUT", path, json={"joins": joins, "note": note}).json())

    def verdicts(self) -> tuple[Verdict, ...]:
        """What people said of pairs of columns, the oldest first."""
        return tuple(_verdict(each) for each in self._pages("/v1/verdicts"))

    def paths(self, left: str, right: str, *, hops: int = 3, k: int = 5) -> list[JoinPath]:
        """Chains of at most ``hops`` joins from one table to another, the surest first."""
        ends = {"from": self._table(left), "to": self._table(right)}
        return [_path(each) for each in self._get("/v1/paths", hops=hops, k=k, **ends)["paths"]]

    def search(self, text: str, *, k: int = 10) -> list[TableHit]:
        """Tables by words, over titles, column names and values."""
        return [_table_hit(each) for each in self._get("/v1/search", q=text, k=k)["hits"]]

    def preview(self, table: str, rows: int = 10) -> pa.Table:
        """The first rows of a table."""
        return self._rows(f"/v1/tables/{self._table(table)}/preview", rows)

    def crawl(
        self, path: str | Path | None = None, name: str | None = None, *, refresh: str = "changed",
        progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> CrawlReport:  # fmt: skip
        """Crawl a folder of the server's, or a lake that is there by its name, and wait for the report.

        Raises:
            CatalogError: the crawl failed, or somebody stopped it.
        """
        body = {"path": "" if path is None else str(path), "lake": name or "", "refresh": refresh}
        job = self._done("crawl", body, progress or (lambda _: None))
        if job["state"] != "done":
            raise errors.CatalogError(f"the crawl is {job['state']}: {job['error']}", "ask the server's log")
        report = job["report"]
        failed = tuple((each["path"], each["reason"]) for each in report["failed"])
        return CrawlReport(**(report | {"failed": failed}))

    def similar_rows(self, table: str, row: int, *, k: int = 10, others: bool = False) -> list[SimilarRow]:
        """Rows that are like a row of a table, the likest first; with ``others``, of other tables alone."""
        found = self._get(f"/v1/tables/{self._table(table)}/rows/{row}/similar", k=k, others=others)["hits"]
        return [SimilarRow(hit["table"]["lake"], hit["table"]["name"], hit["row"], hit["similarity"]) for hit in found]

    def augment(
        self, table: str, target: str, *, metric: str | None = None, budget: float = 300.0, rows: bool = True,
        k: int = 10, told: Callable[[str], None] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Columns of the lake that help to predict a column of a table, proven; see ``Lake.augment``.

        Gives the report, as ``tablelens augment --json`` does: trials with their lifts, outcomes, the SQL.

        Raises:
            TablelensError: the augmentation failed, or somebody stopped it.
        """
        body = {"table": self._get("/v1/tables/named", name=table)["id"], "target": target, "metric": metric}
        body |= {"budget": budget, "judge": "both" if rows else "trees", "k": k}
        stage = ""

        def heard(job: dict[str, Any]) -> None:
            nonlocal stage
            if told is not None and job["stage"] != stage:
                stage = job["stage"]
                told(stage)

        job = self._done("augmentation", body, heard)
        if job["state"] != "done":
            raise errors.TablelensError(f"the augmentation is {job['state']}: {job['error']}", "ask the server's log")
        report: dict[str, Any] = job["report"]
        return report

    # what the service offers beside ----------------------------------------------------------------------------

    def rows(self, left: str, right: str, rows: int = 100) -> pa.Table:
        """Rows of the join of two columns."""
        return self._rows(f"/v1/columns/{self._column(left)}/joins/{self._column(right)}/rows", rows)

    def tables(self, lake: str | None = None) -> Iterator[dict[str, Any]]:
        """All tables, by name, as the service lists them."""
        yield from self._pages("/v1/tables", **({} if lake is None else {"lake": lake}))

    def status(self) -> dict[str, Any]:
        """The service at a glance."""
        found: dict[str, Any] = self._get("/v1/status")
        return found

    # -----------------------------------------------------------------------------------------------------------

    def _done(self, word: str, body: dict[str, Any], heard: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """A job, begun and waited for."""
        job: dict[str, Any] = self._call("POST", f"/v1/{word}s", json=body).json()
        while job["state"] in ("waiting", "running"):
            time.sleep(JOBS_SECONDS)
            job = self._get(f"/v1/{word}s/{job['id']}")
            heard(job)
        return job

    def _column(self, reference: str) -> str:
        return quote(str(self._get("/v1/columns", name=reference)["id"]))

    def _table(self, reference: str) -> str:
        return quote(str(self._get("/v1/tables/named", name=reference)["id"]))

    def _rows(self, path: str, rows: int) -> pa.Table:
        content = self._call("GET", path, params={"rows": rows, "format": _ARROW}).content
        return pa.ipc.open_stream(io.BytesIO(content)).read_all()

    def _pages(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        cursor: dict[str, Any] = {}
        while True:
            page = self._get(path, **parameters, **cursor)
            yield from page["items"]
            if page["next"] is None:
                return
            cursor = {"cursor": page["next"]}

    def _get(self, path: str, **parameters: Any) -> Any:
        return self._call("GET", path, params=parameters).json()

    def _call(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One request.

        Raises:
            TablelensError: the same that the service met, by its code.
        """
        try:
            answer = self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise errors.Unreachable(
                f"no answer from {self._http.base_url}: {error}", "is it `tablelens serve`d there?"
            ) from error
        if answer.is_success:
            return answer
        raise _error(answer)


def _asked(**options: Any) -> dict[str, Any]:
    """The options of a search that are given.

    Raises:
        UsageError: the service knows no such option, and would pass over it.
    """
    for name in options.keys() - set(OPTIONS):
        raise errors.UsageError(f"unknown option {name!r}", f"known options: {', '.join(OPTIONS)}")
    return {name: value for name, value in options.items() if value is not None}


def _fallback(status: int, limit: str) -> type[errors.TablelensError]:
    """The kind of an error whose code only the service knows."""
    if status in (401, 403):
        return errors.AccessDenied
    if limit:
        return errors.LimitReached
    return errors.UsageError if status < 500 else errors.TablelensError


def _error(answer: httpx.Response) -> errors.TablelensError:
    """The error that a problem document tells of."""
    known = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TablelensError)
    ]
    try:
        problem = answer.json()
        code, message, hint = problem["code"], problem["detail"], problem.get("hint", "")
    except (ValueError, KeyError, TypeError):
        return errors.Unreachable(f"status {answer.status_code} without a reason", "is this a tablelens service?")
    limit = problem.get("limit", "")
    kind = next((kind for kind in known if kind.code == code), _fallback(answer.status_code, limit))
    if issubclass(kind, errors.LimitReached):
        return kind(message, hint, limit)
    return kind(message, hint)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _ref(found: dict[str, Any]) -> ColumnRef:
    return ColumnRef(-1, found["lake"], found["table"], found["name"], found["kind"])


def _evidence(found: dict[str, Any]) -> Evidence:
    texts = {name: tuple(found[name]) for name in ("matched", "unmatched")}
    bridge = _bridge(found["bridge"]) if found.get("bridge") else None
    matching = _matching(found["matching"]) if found.get("matching") else None
    return Evidence(**(found | texts | {"bridge": bridge, "matching": matching}))


def _matching(found: dict[str, Any]) -> CellMatching:
    examples = tuple(CellPair(**each) for each in found["examples"])
    return CellMatching(**(found | {"examples": examples, "unmatched": tuple(found["unmatched"])}))


def _bridge(found: dict[str, Any]) -> Bridge:
    steps = tuple((_ref(near), _ref(far)) for near, far in found["steps"])
    examples = tuple((near, far) for near, far in found["examples"])
    return Bridge(steps, found["coverage"], found["witnesses"], examples)


def _hit(found: dict[str, Any]) -> Hit:
    evidence = _evidence(found["evidence"])
    plain = {name: found[name] for name in ("score", "probability", "sql", "hub")}
    plain["key"] = None if found.get("key") is None else _composite_hit(found["key"])
    return Hit(column=_ref(found["column"]), evidence=evidence, notes=tuple(found["notes"]), **plain)


def _composite_hit(found: dict[str, Any]) -> CompositeHit:
    columns = tuple(map(_ref, found["columns"]))
    return CompositeHit(columns, _evidence(found["evidence"]), found["sql"], tuple(found["notes"]))


def _answer(found: dict[str, Any]) -> Answer:
    hits = tuple(_hit(each) for each in found["hits"])
    query, number = found["query"], found["generation"]
    return Answer(
        query["table"], query["column"], found["mode"], hits, found["seconds"],
        int(number) if number.isdecimal() else -1, tuple(found["notes"]),
    )  # fmt: skip


def _path(found: dict[str, Any]) -> JoinPath:
    steps = tuple(_step(each) for each in found["steps"])
    return JoinPath(steps, found["probability"], found["sql"])


def _step(found: dict[str, Any]) -> Step:
    evidence = _evidence(found["evidence"])
    return Step(_ref(found["left"]), _ref(found["right"]), found["probability"], evidence)


def _table_hit(found: dict[str, Any]) -> TableHit:
    plain = {name: found[name] for name in ("lake", "title", "rows", "score")}
    return TableHit(table=found["name"], columns=tuple(found["names"]), matched=tuple(found["matched"]), **plain)


def _verdict(found: dict[str, Any]) -> Verdict:
    left, right = ((side["lake"], side["table"], side["name"]) for side in (found["left"], found["right"]))
    return Verdict(left, right, found["joins"], found["note"], found["decided"])
