"""A pack is read whole or in part, written as files, and told what it lacks."""

import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from tablelens.bench.pack import read_pack, write_lake
from tablelens.errors import NotFound, UnreadableFile, UsageError


def by_name(pack):
    return {one.name: one for one in pack.sets}


def test_every_query_set_is_there(pack_folder):
    pack = read_pack(pack_folder)
    sizes = {one.name: len(one.queries) for one in pack.sets}
    assert sizes == {
        "equi": 6,
        "equi, other names": 6,
        "keys": 3,
        "keys among keys": 3,
        "semantic": 2,
        "semantic hard": 2,
    }
    assert len(pack.tables) == 12
    assert len(pack.columns) == 24
    assert pack.label == "pack pack"


def test_hard_truth_drops_what_equality_finds(pack_folder):
    sets = by_name(read_pack(pack_folder))
    easy, hard = sets["semantic"], sets["semantic hard"]
    query = hard.queries[0].id
    assert set(hard.gains[query]) < set(easy.gains[query])
    assert hard.dropped[query] == frozenset(easy.gains[query]) - frozenset(hard.gains[query])
    assert easy.dropped == {}


def test_partners_of_the_same_name_stand_apart(pack_folder):
    pack = read_pack(pack_folder)
    equi, apart = pack.sets[:2]
    assert apart.name == "equi, other names"
    for query in equi.queries:
        alike = {
            cid
            for cid in equi.gains[query.id]
            if pack.columns[cid].name.lower() == pack.columns[query.cid].name.lower()
        }
        assert apart.dropped[query.id] == alike
        assert apart.gains[query.id].keys() == equi.gains[query.id].keys() - alike
    assert any(apart.dropped.values())


def test_tables_survive_the_way_to_files_and_back(pack_folder, tmp_path):
    pack = read_pack(pack_folder)
    paths = write_lake(pack, tmp_path / "lake")
    assert set(paths) == pack.tables
    assert {path.rpartition(".")[2] for path in paths.values()} == {"csv", "parquet"}
    assert len(set(paths.values())) == 12
    for table, path in paths.items():
        file = tmp_path / "lake" / path
        data = pc.read_csv(file) if path.endswith("csv") else pq.read_table(file)
        names = [column.name for column in pack.columns.values() if column.table == table]
        assert data.column_names == names
        assert data.num_rows > 5


def test_names_of_tables_cannot_leave_the_folder(pack_folder, tmp_path):
    for name in ("part-000", "part-001"):
        file = pack_folder / f"tables/{name}.parquet"
        rows = [row | {"table_id": f"../../{row['table_id']}"} for row in pq.read_table(file).to_pylist()]
        pq.write_table(pq.read_table(file).from_pylist(rows), file)
    file = pack_folder / "columns.parquet"
    rows = [row | {"table_id": f"../../{row['table_id']}"} for row in pq.read_table(file).to_pylist()]
    pq.write_table(pq.read_table(file).from_pylist(rows), file)
    paths = write_lake(read_pack(pack_folder), tmp_path / "deep/er/lake")
    assert len(paths) == 12
    assert len([path for path in (tmp_path / "deep/er/lake").rglob("*") if path.is_file()]) == 12
    assert not any(".." in path.split("/") for path in paths.values())


def test_part_of_a_pack_has_a_truth_of_its_own(pack_folder):
    whole, part = read_pack(pack_folder), read_pack(pack_folder, limit_tables=6)
    assert len(part.tables) == 6
    assert part.tables == read_pack(pack_folder, limit_tables=6).tables
    for one in part.sets:
        assert all(part.columns[query.cid].table in part.tables for query in one.queries)
        assert set(one.gains) == {query.id for query in one.queries}
        for query, gains in one.gains.items():
            full = by_name(whole)[one.name].gains[query]
            assert gains == {cid: gain for cid, gain in full.items() if cid in part.columns}
    assert part.fingerprint() != whole.fingerprint()


def test_queries_are_drawn_evenly(pack_folder):
    assert [q.cid for q in by_name(read_pack(pack_folder, limit_queries=3))["equi"].queries] == [10, 14, 18]


def test_own_tables_are_no_truth(pack_folder):
    pack = read_pack(pack_folder)
    for one in pack.sets:
        for query in one.queries:
            own = pack.columns[query.cid].table
            assert all(pack.columns[cid].table != own for cid in one.gains[query.id])


@pytest.mark.parametrize("name", ["columns.parquet", "queries.parquet", "qrels_full.parquet", "qrels_semantic.parquet"])
def test_a_missing_file_is_named(pack_folder, name):
    (pack_folder / name).unlink()
    with pytest.raises(NotFound, match=name):
        read_pack(pack_folder)


def test_missing_folders_columns_and_tables_are_named(pack_folder, tmp_path):
    with pytest.raises(NotFound, match="no folder"):
        read_pack(tmp_path / "nowhere")
    file = pack_folder / "columns.parquet"
    whole = pq.read_table(file)
    pq.write_table(whole.drop_columns(["pool_text"]), file)
    with pytest.raises(UsageError, match=r"columns\.parquet of the pack lacks pool_text"):
        read_pack(pack_folder)
    file.write_bytes(b"no parquet")
    with pytest.raises(UnreadableFile, match="columns"):
        read_pack(pack_folder)
    pq.write_table(whole, file)
    (pack_folder / "tables/part-001.parquet").unlink()
    with pytest.raises(NotFound, match="are not in tables/"):
        write_lake(read_pack(pack_folder), tmp_path / "lake")
    (pack_folder / "tables/part-000.parquet").unlink()
    with pytest.raises(NotFound, match=r"tables/\*\.parquet"):
        read_pack(pack_folder)


def test_a_pack_of_equi_queries_alone(pack_folder):
    for name in ("queries_keys", "queries_semantic"):
        (pack_folder / f"{name}.parquet").unlink()
    assert list(by_name(read_pack(pack_folder))) == ["equi", "equi, other names"]
