"""Joins with a column of an uploaded file, which is read in a process of its own and removed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, post
from litestar.datastructures import UploadFile
from litestar.params import MultipartBody
from msgspec import Meta

from tablelens.crawl.walk import SUFFIXES
from tablelens.errors import UnknownColumn, UnreadableFile, UsageError
from tablelens.settings import Settings
from tablelens.types import ColumnProfile, FileOutcome, FoundFile, TableProfile

from . import wire
from .access import LAKE, snapshot_of
from .errors import WrongMedia, documented
from .join_schemas import Answer, FileColumn
from .joins import Wanted, options
from .parameters import at_most
from .service import Served, Service
from .snapshot import Snapshot

PROFILE = "tablelens.engines.unit:profile_file"
CHUNK = 1 << 20


class File(msgspec.Struct, kw_only=True):
    """A file that is sent along."""

    file: UploadFile


class Upload(Wanted, kw_only=True):
    """A column of a file that is sent along."""

    file: UploadFile
    column: Annotated[str, Meta(description="name of the column")]
    sheet: Annotated[str, Meta(description="sheet of a workbook; the first one if empty")] = ""


class UploadController(Controller):
    """Joins with an uploaded file."""

    path = "/v1/joins/file"
    tags = ("Joins",)

    @post("/", operation_id="joinFile", summary="Columns that join with a column of an uploaded file",
          status_code=200, opt=LAKE, responses=documented(413, 415, 422))  # fmt: skip
    async def file(
        self,
        request: Request[Any, Any, Any],
        service: Served,
        data: MultipartBody[Upload],
    ) -> Answer:
        """The file is read in a process of its own, and removed."""
        at_most("k", data.k, service.settings, "max_k")
        with tempfile.TemporaryDirectory(prefix="tablelens-") as folder:
            file = await _saved(data.file, Path(folder))
            return await service.run(_of_file, service, snapshot_of(request), file, data)

    @post("/columns", operation_id="listFileColumns", summary="The columns of an uploaded file",
          status_code=200, responses=documented(413, 415, 422))  # fmt: skip
    async def columns(
        self,
        service: Served,
        data: MultipartBody[File],
    ) -> list[FileColumn]:
        """What a file holds, to choose a column of it. It is removed at once."""
        with tempfile.TemporaryDirectory(prefix="tablelens-") as folder:
            file = await _saved(data.file, Path(folder))
            tables = await service.run(_profiled, service, file)
        return [_file_column(table.part, column) for table in tables for column in table.columns]


def controller(settings: Settings) -> type[UploadController]:
    """The controller, which takes larger bodies than the others."""
    limits = {"request_max_body_size": settings.max_upload_mb * 1_000_000, "opt": {"body": "max_upload_mb"}}
    return type("UploadController", (UploadController,), limits)


async def _saved(upload: UploadFile, folder: Path) -> FoundFile:
    """The uploaded file under a name of our own: of the one given only the ending counts."""
    ending = next((ending for ending in SUFFIXES[::-1] if upload.filename.lower().endswith(ending)), "")
    if not ending:
        raise WrongMedia(f"{upload.filename[-60:]!r} is of no known kind", f"known endings: {', '.join(SUFFIXES)}")
    path = folder / f"upload{ending}"
    with path.open("wb") as target:
        while part := await upload.read(CHUNK):
            target.write(part)
    info = path.stat()
    return FoundFile(path.name, str(path), info.st_size, info.st_mtime_ns)


def _profiled(service: Service, file: FoundFile) -> tuple[TableProfile, ...]:
    outcome: FileOutcome = service.read(PROFILE, file)
    if not outcome.ok:
        raise UnreadableFile(f"the file cannot be read: {outcome.error}", "send another", outcome.reason)
    return outcome.tables


def _file_column(sheet: str, column: ColumnProfile) -> FileColumn:
    return FileColumn(
        sheet=sheet, name=column.name, kind=column.kind, rows=column.rows, nulls=column.nulls,
        distinct=column.distinct, excluded=column.excluded, examples=list(column.cells[:5]),
    )  # fmt: skip


def _of_file(service: Service, snapshot: Snapshot, file: FoundFile, data: Upload) -> Answer:
    found = _profiled(service, file)
    tables = {table.part: table for table in found}
    if data.sheet and data.sheet not in tables:
        raise UsageError(f"the file has no sheet {data.sheet!r}", f"sheets: {', '.join(tables)}")
    table = tables[data.sheet] if data.sheet else found[0]
    columns = {column.name: column for column in table.columns}
    if data.column not in columns:
        known = ", ".join(list(columns)[:50])
        raise UnknownColumn.among("column", data.column, columns, f"columns of the file: {known}")
    title = Path(data.file.filename).stem
    query = snapshot.lake.profile_query(columns[data.column], title, columns=list(columns))
    return wire.answer(snapshot, query, snapshot.lake.answer(query, **options(data)))
