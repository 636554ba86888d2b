"""Each SQL statement that the docs show runs, as a client would run it that has read the page."""

import re
import shutil
from pathlib import Path

import duckdb
import pytest

from tablelens.engines.base import InlineEngine
from tablelens.lake import Lake

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [
    (path.stem, number, block) for path in PAGES for number, block in enumerate(BLOCK.findall(path.read_text("utf-8")))
]
ELSEWHERE = "CREATE EXTENSION REPOSITORY"
"""What test_a_signed_repository_under_duckdb_2 runs."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    lake = Lake.open(tmp_path_factory.mktemp("pages") / "home")
    lake.crawl(ROOT / "sample_lake", engine=InlineEngine())
    return lake.home


@pytest.mark.parametrize(
    "block",
    [b for _, _, b in BLOCKS if ELSEWHERE not in b],
    ids=[f"{p}-{n}" for p, n, b in BLOCKS if ELSEWHERE not in b],
)
def test_the_sql_of_a_page_runs(block, home, extension, tmp_path, monkeypatch):
    (tmp_path / ".tablelens").symlink_to(home)
    (tmp_path / "build").mkdir()
    shutil.copy(extension, tmp_path / "build")
    monkeypatch.chdir(tmp_path)
    with duckdb.connect(config={"allow_unsigned_extensions": "true"}) as connection:
        for statement in connection.extract_statements(block):
            found = connection.execute(statement)
            rows = found.fetchall() if found.description else []
            assert rows or not statement.query.strip().startswith("FROM"), statement.query


def test_there_is_sql_to_run():
    assert len(BLOCKS) > 2
