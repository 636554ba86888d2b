"""The committed sample lake is complete, small, licensed, and says the truth about its joins."""

import datetime as dt
import importlib.util
import json
import re
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

LAKE = Path(__file__).parents[2] / "sample_lake"
FILES = sorted(p.relative_to(LAKE).as_posix() for p in LAKE.glob("*/*.*") if p.parent.name != "__pycache__")
TRUTH = json.loads((LAKE / "truth.json").read_text("utf-8"))
README = (LAKE / "README.md").read_text("utf-8")
LISTED = {
    row[0]: row[1:]
    for row in re.findall(r"^\| `(.+?)` \| ([\d,]+) \| (\d+) \| (.+?) \| .+? \| (.+?) \|$", README, re.M)
}
PERMISSIVE = {"MIT", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0", "CC-BY-3.0-IGO", "Unicode-3.0", "public domain"}


def load(name):
    spec = importlib.util.spec_from_file_location(f"sample_lake_{name}", LAKE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check = load("check")


def test_the_readme_lists_every_file_and_no_other():
    assert sorted(LISTED) == FILES
    assert 35 <= len(FILES) <= 60


@pytest.mark.parametrize("path", FILES)
def test_a_file_is_small_and_as_the_readme_says(path):
    rows, columns, package, licence = LISTED[path]
    table = check.read(LAKE / path)
    assert (table.num_rows, table.num_columns) == (int(rows.replace(",", "")), int(columns))
    assert (LAKE / path).stat().st_size <= 300_000
    assert re.fullmatch(r"(npm|pypi) \S+[=@]\d\S*", package)
    assert set(licence.split(", ")) <= PERMISSIVE


def test_the_lake_is_small():
    assert sum((LAKE / path).stat().st_size for path in FILES) <= 4_000_000


def test_every_licence_that_asks_for_a_notice_has_one():
    notices = (LAKE / "LICENSES.md").read_text("utf-8")
    packages = {
        package.split()[1].replace("@", "==").split("==")[0]
        for _, _, package, licence in LISTED.values()
        if licence == "MIT"
    }
    assert all(f"- {package}: Copyright" in notices for package in packages)
    for path, (*_, licence) in LISTED.items():
        folder = path.split("/")[0]
        assert licence in {"public domain", "CC0-1.0"} or f"`{path}`" in notices or f"`{folder}/*`" in notices


def test_every_format_is_there():
    suffixes = Counter(Path(path).suffix for path in FILES)
    assert set(suffixes) == {".csv", ".gz", ".tsv", ".json", ".ndjson", ".xlsx", ".parquet"}
    assert suffixes[".csv"] > len(FILES) / 2
    assert (LAKE / "world/country_profiles.csv").read_text("utf-8").startswith("Code;Name;")


def test_parquet_has_proper_types():
    fields = [field.type for path in FILES if path.endswith(".parquet") for field in pq.read_schema(LAKE / path)]
    assert {pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.string()} <= set(fields)
    assert pa.null() not in fields


def test_the_workbook_reads_with_its_dates():
    months = check.read(LAKE / "us/employment.xlsx").column("month").to_pylist()
    assert dt.date.fromisoformat(months[0]) == dt.date(2006, 1, 1)
    assert len(set(months)) == len(months) == 120


def test_truth_holds_on_the_data():
    assert check.problems(LAKE) == []


def test_truth_is_large_enough_and_says_nothing_twice():
    kinds = Counter(entry["kind"] for entry in TRUTH["joins"])
    assert set(kinds) == set(check.KINDS)
    assert kinds["equi"] >= 40
    assert len(TRUTH["non_joins"]) >= 15
    labels = [check.label(entry) for entry in TRUTH["joins"] + TRUTH["non_joins"]]
    assert len(labels) == len(set(labels))


def test_no_non_join_lies_within_a_domain():
    domains = [{json.dumps(side) for side in (*d["columns"], d["reference"])} for d in TRUTH["domains"]]
    for entry in TRUTH["non_joins"]:
        sides = {json.dumps(entry[side]) for side in ("left", "right")}
        assert not any(sides <= domain for domain in domains), check.label(entry)


def test_every_entry_has_what_its_kind_needs():
    for entry in TRUTH["joins"]:
        assert re.fullmatch("[1n]:[1nm]", entry["cardinality"])
        assert ("bridge" in entry) == (entry["kind"] == "code-name")
        assert ("columns" in entry["left"]) == (entry["kind"] == "composite")
        assert 0 < entry["floor"] <= 1
    assert all(entry["why"] for entry in TRUTH["non_joins"])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"right": {"table": "world/countries.csv", "column": "gone"}}, "no column 'gone'"),
        ({"right": {"table": "world/gone.csv", "column": "iso2"}}, "no such table"),
        ({"right": {"table": "science/elements.csv", "column": "name"}}, "containment 0.000 is below"),
        ({"cardinality": "1:1"}, "is n:1, said 1:1"),
        ({"kind": "guess"}, "is none of"),
    ],
)
def test_the_check_finds_what_is_wrong(tmp_path, change, complaint):
    entry = next(
        e for e in TRUTH["joins"] if check.label(e) == "world/cities.csv.country_code -> world/countries.csv.iso2"
    )
    for name in ("world", "science"):
        (tmp_path / name).symlink_to(LAKE / name)
    truth = {"joins": [entry | change], "non_joins": [], "domains": []}
    (tmp_path / "truth.json").write_text(json.dumps(truth), "utf-8")
    assert any(complaint in problem for problem in check.problems(tmp_path))


def test_the_check_finds_a_non_join_that_does_not_tempt(tmp_path):
    for name in ("world", "science"):
        (tmp_path / name).symlink_to(LAKE / name)
    left, right = {"table": "world/cities.csv", "column": "city"}, {"table": "science/elements.csv", "column": "name"}
    truth = {"joins": [], "non_joins": [{"left": left, "right": right, "why": "?"}], "domains": []}
    (tmp_path / "truth.json").write_text(json.dumps(truth), "utf-8")
    assert "tempts nobody" in check.problems(tmp_path)[0]
