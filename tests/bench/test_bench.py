"""The whole bench on a pack of a dozen tables."""

import json
import sys

import pytest

from tablelens.bench import report as reports
from tablelens.bench import run as bench
from tablelens.cli import main
from tablelens.errors import MissingExtra, UsageError

SETTINGS = {"encoder": "hash", "workers": 1}
ARMS = ("equi", "auto", "deepjoin", "semantic", "exact overlap", "same column name", "LSH Ensemble 0.3",
        "name similarity", "character 3-grams")  # fmt: skip


def quality(report, queries, arm):
    (found,) = [row for row in report.quality if (row.queries, row.arm) == (queries, arm)]
    return found


def test_every_arm_is_measured_on_every_set(measured):
    _, _, report = measured
    assert report.sizes == {
        "equi": 6,
        "equi, other names": 6,
        "keys": 3,
        "keys among keys": 3,
        "semantic": 2,
        "semantic hard": 2,
    }
    for name, size in report.sizes.items():
        arms = [row.arm for row in report.quality if row.queries == name]
        assert len(arms) == len(set(arms))
        assert set(ARMS) <= set(arms)
        assert all(row.asked == size for row in report.quality if row.queries == name)


def test_counting_is_perfect_where_the_truth_counts(measured):
    _, _, report = measured
    for queries, arm in (("equi", "equi"), ("equi", "exact overlap"), ("keys among keys", "exact overlap")):
        for score in quality(report, queries, arm).scores:
            assert (score.precision, score.capped_recall, score.ndcg) == pytest.approx((1.0, 1.0, 1.0))
    assert quality(report, "equi", "same column name").scores[0].same_name == 1.0
    assert quality(report, "keys", "deepjoin").answered == 0


def test_times_build_and_machine_are_told(measured):
    _, _, report = measured
    assert {row.queries for row in report.speed} == {"equi", "keys"}
    assert all(0 <= row.p50 <= row.p95 for row in report.speed)
    assert (report.build.tables, report.build.columns, report.build.failed) == (12, 24, 0)
    assert {"walk", "read", "encode", "index"} <= report.build.stages.keys()
    assert report.build.index_bytes > 0
    assert not report.build.reused
    built = ["name similarity", "character 3-grams", "LSH Ensemble 0.3", "LSH Ensemble 0.7"]
    assert [row.arm for row in report.baselines] == built
    assert [(row.encoder, row.columns) for row in report.encoders] == [("hash", 12)]
    assert report.machine["python"] == sys.version.split()[0]
    assert {row.arm for row in report.fuzzy} == {
        "equi", "auto", "deepjoin", "semantic", "character 3-grams", "name similarity"
    }  # fmt: skip
    assert all(row.pairs == 3 and 0 <= row.reciprocal <= row.recall <= 1 for row in report.fuzzy)


def test_reports_hold_the_same_figures(measured, tmp_path):
    _, _, report = measured
    written, page = reports.write(report, tmp_path / "out")
    document = json.loads(written.read_text("utf-8"))
    assert document == reports.as_document(report)
    assert document["quality"][0]["scores"][0]["precision"] == pytest.approx(1.0)
    text = page.read_text("utf-8")
    for heading in ("# Join discovery: pack pack", "### equi", "### semantic hard", "## Seconds a query", "## Build"):
        assert f"\n{heading}\n" in f"\n{text}"
    assert "| exact overlap | 1.000 |" in text
    assert "nan" not in text
    assert str(tmp_path) not in text


def test_a_work_folder_is_used_again_for_the_same_pack_alone(measured):
    pack, work, first = measured
    files = sorted(path.stat().st_mtime_ns for path in (work / "lake").rglob("*") if path.is_file())
    again = bench.run(pack, bench.Options(ks=(3,), ensemble=False, queries=1, settings=SETTINGS), work)
    assert again.build.reused
    assert again.build.seconds == pytest.approx(first.build.seconds)
    assert sorted(path.stat().st_mtime_ns for path in (work / "lake").rglob("*") if path.is_file()) == files
    assert not any(row.arm.startswith("LSH") for row in again.quality)
    (work / "crawl.json").unlink()
    untimed = bench.run(pack, bench.Options(ks=(3,), ensemble=False, queries=1, settings=SETTINGS), work)
    assert ("crawl", "not timed: the lake was there") in reports.build_rows(untimed)
    assert reports.as_document(untimed)["build"]["seconds"] is None
    with pytest.raises(UsageError, match="another pack or size"):
        bench.run(pack, bench.Options(limit_tables=5, settings=SETTINGS), work)


def test_a_folder_with_other_things_is_left_alone(pack_folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        bench.run(pack_folder, bench.Options(settings=SETTINGS), tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_missing_packages_are_told_before_the_crawl(pack_folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasketch", None)
    with pytest.raises(MissingExtra, match="datasketch"):
        bench.run(pack_folder, bench.Options(settings=SETTINGS), tmp_path / "work")
    assert not (tmp_path / "work").exists()
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    options = bench.Options(ensemble=False, models={"MiniLM": tmp_path}, settings=SETTINGS)
    with pytest.raises(MissingExtra, match="sentence"):
        bench.run(pack_folder, options, tmp_path / "work")
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("options", [{"ks": ()}, {"ks": (0,)}, {"ks": (5000,)}, {"queries": -1}])
def test_options_that_cannot_be(options):
    with pytest.raises(UsageError):
        bench.Options(**options)


def command(*words):
    with pytest.raises(SystemExit) as left:
        main(["-q", "--set", "encoder=hash", "--set", "workers=1", *map(str, words)])
    return left.value.code


def test_the_command_writes_a_table_and_files(pack_folder, tmp_path, capsys):
    asked = ("bench", pack_folder, "--no-lshe", "--ks", "5,3", "--out", tmp_path / "out", "--limit-tables", 9)
    assert command(*asked) == 0
    shown = capsys.readouterr()
    assert "pack pack: 9 tables, 18 columns" in shown.out
    assert "exact overlap" in shown.out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"join_discovery.json", "join_discovery.md"}
    assert not (tmp_path / ".tablelens").exists()


def test_the_command_gives_one_json_document(pack_folder, capsys):
    assert command("bench", pack_folder, "--no-lshe", "--queries", 1, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["pack"] == "pack pack"
    assert document["encoder"]["name"] == "hash"
    assert set(document["sizes"].values()) == {1}


def test_the_command_says_what_is_wrong(pack_folder, capsys):
    assert command("bench", pack_folder / "nowhere", "--no-lshe") == 3
    assert command("bench", pack_folder, "--ks", "ten") == 2
    assert "10,20,50" in capsys.readouterr().err
