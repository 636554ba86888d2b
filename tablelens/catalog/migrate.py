"""Bring a catalogue to this version's schema, in one transaction; refuse one that is newer."""

from __future__ import annotations

import sqlalchemy as sa

from tablelens.catalog.models import EMBEDDINGS, SCHEMA_VERSION, Base
from tablelens.errors import CatalogError, CatalogVersion

STEPS: dict[int, tuple[str, ...]] = {
    2: ("ALTER TABLE columns ADD COLUMN IF NOT EXISTS density DOUBLE DEFAULT 0",),  # some of version 1 lack it
    3: (),
    4: ("DROP TABLE IF EXISTS embeddings", EMBEDDINGS),  # vectors are made anew, by what they are made of
    5: (
        "ALTER TABLE tables ADD COLUMN IF NOT EXISTS reading VARCHAR DEFAULT ''",
        "ALTER TABLE columns ADD COLUMN IF NOT EXISTS null_words VARCHAR[] DEFAULT []",
    ),
}
"""Version → the statements that lead to it from the version before; tables that are new need none. All of them are
run on an empty catalogue too."""


def migrate(connection: sa.Connection, *, read_only: bool = False) -> None:
    """Create the tables of an empty catalogue, or take the steps that it lacks.

    Raises:
        CatalogVersion: the catalogue is newer than this tablelens.
        CatalogError: it is older and was opened for reading only.
    """
    found = _version(connection)
    if found == SCHEMA_VERSION:
        return
    if found > SCHEMA_VERSION:
        raise CatalogVersion(
            f"the catalogue has schema version {found}, this tablelens knows {SCHEMA_VERSION}", "upgrade tablelens"
        )
    if read_only:
        raise CatalogError(
            f"the catalogue was written by an older tablelens: schema version {found}, wanted is {SCHEMA_VERSION}",
            "run `tablelens crawl` again: it brings the catalogue up to date",
        )
    Base.metadata.create_all(connection)
    if found == 0:
        connection.execute(sa.text("INSERT INTO meta VALUES ('schema_version', '0')"))
    for version in range(max(found, 1) + 1, SCHEMA_VERSION + 1):
        for statement in STEPS[version]:
            connection.execute(sa.text(statement))
    connection.execute(sa.text(f"UPDATE meta SET value = '{SCHEMA_VERSION}' WHERE key = 'schema_version'"))
    connection.commit()


def _version(connection: sa.Connection) -> int:
    """The schema version of a catalogue; 0 where there is none yet."""
    tables = connection.execute(sa.text("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'meta'")).scalar()
    value = None
    if tables:
        value = connection.execute(sa.text("SELECT value FROM meta WHERE key = 'schema_version'")).scalar()
    connection.rollback()
    return int(value) if value else 0
