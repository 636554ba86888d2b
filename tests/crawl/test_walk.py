import os
import socket

import pytest

from tablelens.crawl.walk import is_table, walk
from tablelens.errors import NotFound, UsageError


def paths(root, ignored=None):
    return [file.path for file in walk(root, ignored)]


@pytest.fixture
def told():
    return {}


@pytest.fixture
def tell(told):
    return lambda path, reason: told.update({path: reason})


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a,b\n1,2\n")


def test_finds_tables_in_sorted_order(tmp_path):
    make(tmp_path, "b.csv", "a/z.parquet", "a/b/c.JSON", "notes.txt", "c.csv.gz", "README", "d.XLSX")
    assert paths(tmp_path) == ["a/b/c.JSON", "a/z.parquet", "b.csv", "c.csv.gz", "d.XLSX"]


@pytest.mark.parametrize("name", ["x.tsv", "x.tab", "x.psv", "x.pq", "x.ndjson.zst", "x.jsonl.bz2", "x.ods", "x.xlsb"])
def test_knows_the_suffix(name):
    assert is_table(name)


@pytest.mark.parametrize("name", ["x.txt", "x.xlsx.gz", "x.gz", "csv", "x.pickle", "x.pt", "x.zip"])
def test_passes_other_files_over(name):
    assert not is_table(name)


def test_skips_hidden_entries_and_our_own_home(tmp_path, tell, told):
    make(tmp_path, ".tablelens/x.csv", ".git/y.csv", ".hidden.csv", "seen.csv")
    assert paths(tmp_path, tell) == ["seen.csv"]
    assert told == {}


def test_size_and_time_are_the_files(tmp_path):
    make(tmp_path, "a.csv")
    (file,) = walk(tmp_path)
    info = (tmp_path / "a.csv").stat()
    assert (file.size, file.mtime_ns, file.absolute) == (8, info.st_mtime_ns, str(tmp_path / "a.csv"))


def test_a_file_is_a_lake_of_one_table(tmp_path):
    make(tmp_path, "only.data")
    assert paths(tmp_path / "only.data") == ["only.data"]


def test_a_missing_root_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="Hint: give an existing folder"):
        paths(tmp_path / "nowhere")


def test_a_device_as_root_is_not_found():
    with pytest.raises(NotFound):
        paths("/dev/null")


def test_links_are_reported_and_not_followed(tmp_path, tell, told):
    make(tmp_path, "lake/a.csv", "outside/secret.csv")
    (tmp_path / "lake/link.csv").symlink_to("/etc/passwd")
    (tmp_path / "lake/folder").symlink_to(tmp_path / "outside")
    (tmp_path / "lake/loop").symlink_to(tmp_path / "lake")
    (tmp_path / "lake/dangling.csv").symlink_to(tmp_path / "nothing")
    assert paths(tmp_path / "lake", tell) == ["a.csv"]
    assert told == dict.fromkeys(["link.csv", "folder", "loop", "dangling.csv"], "symlink")


def test_fifos_and_sockets_are_reported(tmp_path, tell, told, monkeypatch):
    os.mkfifo(tmp_path / "pipe.csv")
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("sock.csv")
        assert paths(tmp_path, tell) == []
    assert told == {"pipe.csv": "special", "sock.csv": "special"}


def test_names_are_literal(tmp_path):
    names = sorted(
        ["x*.csv", "[a].csv", "q'uo\"te.csv", "new\nline.csv", "a;b#c%20.csv", "?.csv", "é.csv", "e\u0301.csv"]
    )
    make(tmp_path, *names)
    assert paths(tmp_path) == names


def test_a_name_that_is_not_utf8_is_reported(tmp_path, tell, told):
    make(tmp_path, "good.csv")
    with open(os.fsencode(tmp_path) + b"/bad\xff.csv", "w") as file:
        file.write("a,b\n")
    os.mkdir(os.fsencode(tmp_path) + b"/dir\xfe")
    assert paths(tmp_path, tell) == ["good.csv"]
    assert told == {"bad\\xff.csv": "name-not-utf8", "dir\\xfe": "name-not-utf8"}
    assert all(path.encode() for path in told)


def test_an_unreadable_folder_is_reported_and_the_walk_goes_on(tmp_path, tell, told, monkeypatch):
    # The permission bits mean nothing to root, who may run these tests, so the system call is made to refuse.
    make(tmp_path, "a/x.csv", "locked/y.csv", "z.csv")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert paths(tmp_path, tell) == ["a/x.csv", "z.csv"]
    assert told == {"locked": "permission"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_locked_folder_is_reported(tmp_path, tell, told):
    make(tmp_path, "locked/y.csv")
    (tmp_path / "locked").chmod(0)
    try:
        assert paths(tmp_path, tell) == []
    finally:
        (tmp_path / "locked").chmod(0o700)
    assert told == {"locked": "permission"}


def test_a_file_that_vanishes_meanwhile_is_reported(tmp_path, tell, told, monkeypatch):
    make(tmp_path, "a.csv", "b.csv")
    lstat = os.lstat

    def gone(path):
        if str(path).endswith("a.csv"):
            raise FileNotFoundError(2, "gone")
        return lstat(path)

    monkeypatch.setattr(os, "lstat", gone)
    assert paths(tmp_path, tell) == ["b.csv"]
    assert told == {"a.csv": "vanished"}


def test_folders_deeper_than_the_stack(tmp_path):
    # Made and read by steps, since the whole path is longer than a path may be in one call.
    depth = 450
    path = tmp_path
    for _ in range(depth):
        path = path / "d"
    os.makedirs(path)
    make(path, "deep.csv")
    assert paths(tmp_path) == ["d/" * depth + "deep.csv"]


def test_a_path_beyond_the_systems_limit_is_reported(tmp_path, tell, told, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(25):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    assert paths(tmp_path, tell) == []
    assert set(told.values()) == {"unreadable"}


def test_the_walk_is_lazy(tmp_path):
    make(tmp_path, *(f"{i:03}/x.csv" for i in range(50)))
    first = next(walk(tmp_path))
    assert first.path == "000/x.csv"


def test_a_root_whose_path_is_not_utf8(tmp_path):
    root = os.fsdecode(os.fsencode(tmp_path) + b"/lake\xff")
    os.mkdir(root)
    with pytest.raises(UsageError, match="rename"):
        paths(root)
