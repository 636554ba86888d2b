"""Inputs that were made to do harm, or look as if: each is read, or refused with a reason, and nothing else."""

import bz2
import gzip
import os
import pickle
import random
import threading
import time
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tablelens.crawl import opening
from tablelens.crawl.readers import read_file
from tablelens.crawl.walk import walk
from tablelens.engines.base import WorkFailure
from tablelens.engines.local import LocalEngine
from tablelens.errors import UnreadableFile
from tablelens.settings import Settings
from tablelens.types import FileOutcome, FoundFile

PROFILE = "tablelens.engines.unit:profile_file"


def outcome(file, **limits):
    """The tables' shapes, or the reason."""
    try:
        return [(table.data.num_rows, table.data.num_columns) for table in read_file(file, Settings(**limits))]
    except UnreadableFile as error:
        return error.reason or pytest.fail("a refusal without a reason")


# -- empty and tiny ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("x.csv", b"", "empty"),
        ("x.csv", b"\n\n\n", "empty"),
        ("x.csv", b"\xef\xbb\xbf", "empty"),
        ("x.csv", b"x", [(0, 1)]),
        ("x.csv", b"a,b\n", [(0, 2)]),
        ("x.csv", b"\x00", [(0, 1)]),
        ("x.parquet", b"", "empty"),
        ("x.parquet", b"P", "damaged"),
        ("x.json", b"{", "damaged"),
        ("x.xlsx", b"P", "damaged"),
        ("x.csv.gz", b"", "empty"),
        ("x.csv.gz", gzip.compress(b"", mtime=0), "empty"),
        ("x.csv.gz", b"a,b\n1,2\n", "damaged"),
        ("x.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(32)) * 20, "binary"),
        ("x.csv", b"\x80\x04\x95" + pickle.dumps({"a": [bytes(20), 1, 2, 3]} | {i: i for i in range(99)}), "binary"),
    ],
)
def test_empty_tiny_and_foreign(found, name, content, expected):
    assert outcome(found(name, content)) == expected


def test_models_and_pickles_are_never_opened(tmp_path):
    for name in ("m.pkl", "m.pt", "m.pt2", "m.joblib", "m.npy", "m.safetensors", "m.feather", "m.arrow"):
        (tmp_path / name).write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert list(walk(tmp_path)) == []


# -- archives ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["gz", "zst", "bz2"])
def packed(request):
    def pack(content):
        if request.param == "zst":
            return "x.csv.zst", pytest.importorskip("zstandard").compress(content)
        return f"x.csv.{request.param}", (gzip if request.param == "gz" else bz2).compress(content)

    return pack


def test_archives(read, cells, packed):
    table = read(*packed(b"a,b\n1,2\n"))
    assert (cells(table), table.format) == ([["1", "2"]], "csv")


def test_archives_of_several_parts(read, cells, packed):
    name, first = packed(b"a,b\n1,2\n")
    assert cells(read(name, first + packed(b"3,4\n")[1])) == [["1", "2"], ["3", "4"]]


def test_archives_are_known_by_their_bytes(read, cells, packed):
    assert cells(read("x.csv", packed(b"a,b\n1,2\n")[1])) == [["1", "2"]]


def test_archives_cut_short(refusal, packed):
    name, content = packed(random.Random(0).randbytes(3000).hex().encode())
    assert refusal(name, content[:-9]) == "truncated"


def test_archives_with_flipped_bits(found, packed):
    name, content = packed(b"a,b\n" + b"1,2\n3,x\n" * 500)
    rng = random.Random(0)
    for i in range(30):
        changed = bytearray(content)
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        outcome(found(f"{i}{name}", bytes(changed)))


def test_archives_within_archives(refusal, packed):
    name, content = packed(packed(b"a,b\n1,2\n")[1])
    assert refusal(name, content) == "unsupported"


def test_small_bomb(refusal, packed):
    assert refusal(*packed(b"0" * (40 << 20)), max_unpacked_ratio=10) == "bomb"


def test_honest_repetition_is_no_bomb(read, packed):
    assert read(*packed(b"a,b\n" + b"1,2\n" * 100_000)).data.num_rows == 100_000


def test_unpacked_beyond_the_file_limit_is_cut(read, packed):
    table = read(
        *packed(b"a,b\n" + random.Random(0).randbytes(600_000).hex().encode().replace(b"0", b"\n")), max_file_mb=1
    )
    assert table.truncated


@pytest.mark.slow
def test_bomb_of_a_gibibyte(found):
    pack = zlib.compressobj(9, wbits=31)
    content = b"".join(pack.compress(bytes(1 << 20)) for _ in range(1024)) + pack.flush()
    start = time.monotonic()
    assert outcome(found("x.csv.gz", content)) == "bomb"
    assert time.monotonic() - start < 120


# -- sizes -------------------------------------------------------------------------------------------------------------


def test_large_cell(refusal):
    assert refusal("a.csv", b"a,b\n1," + b"x" * (2 << 20) + b"\n", max_cell_mb=1) == "too-large"
    assert refusal("b.csv", b'a,b\n1,"' + b"x\n" * (1 << 20) + b'"\n', max_cell_mb=1) == "too-large"
    assert refusal("c.csv", b"x" * (2 << 20), max_cell_mb=1) == "too-large"
    assert refusal("d.json", b'[{"a": "' + b"x" * (2 << 20) + b'"}]', max_cell_mb=1) == "too-large"


@pytest.mark.slow
@pytest.mark.parametrize("quote", [b"", b'"'])
def test_cell_of_200_mb(found, quote):
    start = time.monotonic()
    content = b"a,b\n1," + quote + b"x" * (200 << 20) + quote + b"\n"
    assert outcome(found("x.csv", content)) == "too-large"
    assert time.monotonic() - start < 120


def wide(columns, rows):
    head = ",".join(f"c{i}" for i in range(columns))
    return "\n".join([head, *(",".join(["1"] * columns) for _ in range(rows))])


def test_wide_table(found):
    (table,) = read_file(found("x.csv", wide(5000, 5)), Settings())
    assert (table.data.num_columns, table.data.num_rows, table.truncated) == (4096, 5, True)
    assert any("904 of 5,000 columns" in warning for warning in table.warnings)


@pytest.mark.slow
def test_table_of_50_000_columns(found):
    start = time.monotonic()
    assert outcome(found("x.csv", wide(50_000, 100))) == [(100, 4096)]
    assert outcome(found("y.csv", wide(50_000, 100)), max_columns=100_000) == [(100, 50_000)]
    assert time.monotonic() - start < 120


def test_long_names(found):
    (table,) = read_file(found("x.csv", "n" * 10_000 + ",b\nx,y\n"), Settings())
    assert [len(name) for name in table.names] == [10_000, 1]
    assert len(table.data.column_names[0]) == 255


def test_one_long_ragged_row(found):
    assert outcome(found("x.csv", "a,b\n1,2\n" + "," * 500_000 + "x\n3,4\n")) == [(3, 2)]


def test_quotes_that_never_close(found):
    for content in ('"' * 9999, 'a,b\n"' * 999, '"a,b\n1,2\n', "a,b\n" + '1,"\n' * 999):
        assert isinstance(outcome(found("x.csv", content)), list | str)


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x*.csv", "?.csv", "[xy]*.csv", "q'\".csv", "a;b#%20.csv", "new\nline.csv", "**.csv"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_names_are_no_patterns(found, cells, name, suffix):
    found("xsecret.csv", "a,b\nsecret,secret\n")
    content = b"a,b\n1,2\n"
    (table,) = read_file(found(name + suffix, gzip.compress(content) if suffix else content), Settings())
    assert cells(table) == [["1", "2"]]


def test_parquet_names_are_no_patterns(tmp_path, found, cells):
    pq.write_table(pa.table({"a": ["secret"]}), tmp_path / "xsecret.parquet")
    pq.write_table(pa.table({"a": ["open"]}), tmp_path / "x*.parquet")
    (table,) = read_file(found("x*.parquet"), Settings())
    assert cells(table) == [["open"]]


# -- files that are not what the walk saw ------------------------------------------------------------------------------


def test_links_put_in_place(found, tmp_path):
    file = found("x.csv", "a,b\n1,2\n")
    (tmp_path / "x.csv").unlink()
    (tmp_path / "x.csv").symlink_to("/etc/passwd")
    assert outcome(file) == "symlink"


def test_fifo_put_in_place(found, tmp_path):
    file = found("x.csv", "a,b\n1,2\n")
    (tmp_path / "x.csv").unlink()
    os.mkfifo(tmp_path / "x.csv")
    assert outcome(file) == "special"


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/"])
def test_devices_and_folders(path):
    assert outcome(FoundFile("x.csv", path, 10, 0)) == "special"


def test_vanished(found, tmp_path):
    file = found("x.csv", "a,b\n1,2\n")
    (tmp_path / "x.csv").unlink()
    assert outcome(file) == "vanished"


@pytest.mark.parametrize("content", [b"a,b\n1,2\n3,4\n", b"a", b""])
def test_changed_since_the_walk(found, tmp_path, content):
    file = found("x.csv", "a,b\n1,2\n")
    (tmp_path / "x.csv").write_bytes(content)
    assert outcome(file) == "changed"


def test_shrinks_while_it_is_read(found, tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": list(range(10_000))}), path)
    file = found("x.parquet")
    with pytest.raises(UnreadableFile) as caught, opening.opened(file):
        os.truncate(path, 100)
    assert caught.value.reason == "changed"


def test_times_before_and_after_now(found, tmp_path):
    for stamp in (0, 4_000_000_000):
        found("x.csv", "a,b\n1,2\n")
        os.utime(tmp_path / "x.csv", (stamp, stamp))
        assert outcome(found("x.csv")) == [(1, 2)]


def test_no_permission(found, monkeypatch):
    # The permission bits mean nothing to root, who may run these tests, so the system call is made to refuse.
    file = found("x.csv", "a,b\n1,2\n")

    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(opening.os, "open", refuse)
    assert outcome(file) == "permission"


def test_no_descriptor_is_left_open(found):
    files = [found("a.csv", "a,b\n1,2\n"), found("b.csv.gz", gzip.compress(b"a,b\n1,2\n")), found("c.json", "["),
             found("d.parquet", b"PAR1"), found("e.csv.gz", gzip.compress(b"a,b\n1,2\n")[:-4])]  # fmt: skip
    before = len(os.listdir("/proc/self/fd"))
    for file in files * 20:
        outcome(file)
    assert len(os.listdir("/proc/self/fd")) < before + 20  # other threads of this process may open some


def test_threads_may_read_at_once(found):
    """A table profiled in the service must not disturb another one."""
    files = [found(f"{i}.csv", "a,b\n" + f'{i},"x\ny"\n' * 500) for i in range(4)]
    results = {}

    def work(i):
        results[i] = {read_file(files[i], Settings())[0].data.column(0)[0].as_py() for _ in range(20)}

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {i: {str(i)} for i in range(4)}


# -- any bytes at all --------------------------------------------------------------------------------------------------

MAGIC = [b"PAR1", b"PK\x03\x04", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"BZh9", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]
HEADS = [b"", *MAGIC, b"\xff\xfe", b"\xef\xbb\xbf", b"[", b"{", b"a,b\n", b'"']


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.sampled_from(HEADS),
    st.binary(max_size=300) | st.text(max_size=100).map(str.encode),
    st.sampled_from(["csv", "tsv", "parquet", "json", "ndjson", "xlsx", "xls", "ods", "csv.gz", "json.zst", "csv.bz2"]),
)
def test_any_bytes_are_read_or_refused(tmp_path, head, tail, suffix):
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(head + tail)
    info = path.stat()
    outcome(FoundFile(path.name, str(path), info.st_size, info.st_mtime_ns))


def flipped(tmp_path, number, seed=0):
    """Parquet files with some bits flipped each, of several kinds of column."""
    table = pa.table({
        "id": list(range(500)),
        "name": [f"name {i % 50}" for i in range(500)],
        "list": [[i, None] for i in range(500)],
        "real": [i / 7 for i in range(500)],
    })  # fmt: skip
    originals = []
    for compression in ("none", "snappy", "zstd"):
        pq.write_table(table, tmp_path / "whole", compression=compression, row_group_size=200)
        originals.append((tmp_path / "whole").read_bytes())
    rng = random.Random(seed)
    for i in range(number):
        content = bytearray(rng.choice(originals))
        span = len(content) if i % 2 else 2000  # every second one in the footer
        for _ in range(rng.choice((1, 3, 64))):
            content[-1 - rng.randrange(span)] ^= 1 << rng.randrange(8)
        path = tmp_path / f"{i}.parquet"
        path.write_bytes(content)
        info = path.stat()
        yield FoundFile(path.name, str(path), info.st_size, info.st_mtime_ns)


def survives(tmp_path, number):
    with LocalEngine(2, memory_mb=1024, seconds=20) as engine:
        results = list(engine.map(PROFILE, flipped(tmp_path, number), settings=Settings()))
        assert len({file.path for file, _ in results}) == number
        assert all(isinstance(result, WorkFailure | FileOutcome) for _, result in results)
        reasons = {result.reason for _, result in results}
        assert "error" not in reasons, [result for _, result in results if result.reason == "error"][:3]
        assert "damaged" in reasons
        (tmp_path / "good.csv").write_text("a,b\n1,2\n")
        (file,) = walk(tmp_path / "good.csv")
        ((_, outcome),) = engine.map(PROFILE, [file], settings=Settings())
        assert outcome.tables[0].rows == 1


def test_damaged_parquet_200_times(tmp_path):
    survives(tmp_path, 200)


@pytest.mark.slow
def test_damaged_parquet_2000_times(tmp_path):
    survives(tmp_path, 2000)
