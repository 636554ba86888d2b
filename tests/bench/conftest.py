"""A lake pack of a dozen tables, written with its truth."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tablelens.bench import run as bench

SETTINGS = {"encoder": "hash", "workers": 1}
TOWNS = [f"Town {letter}{i}" for letter in "abcdef" for i in range(10)]
CODES = [f"{letter}{i}" for letter in "abcdef" for i in range(10)]
KEYS = [str(1000 + 7 * i) for i in range(60)]


def tables():
    """{table: {column: values}}: columns of towns that hold ever fewer of the first one's, codes, and keys."""
    made = {}
    for i in range(6):
        held = TOWNS[: 60 - 9 * i]
        made[f"maps__towns__{i}"] = {"town": held, "visitors": [str(31 * n + i) for n in range(len(held))]}
    for i in range(3):
        made[f"post-office__code {i}"] = {"Code": CODES[10 * i :], "remark": ["x"] * (60 - 10 * i)}
    for i in range(3):
        made[f"shop__orders/{i}"] = {"id": KEYS[15 * i :], "TOWN": [TOWNS[(n * 7) % 60] for n in range(60 - 15 * i)]}
    return made


def share(query, candidate):
    left, right = ({value.casefold() for value in values} for values in (query, candidate))
    return len(left & right) / len(left)


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def write_pack(folder):
    columns, values = [], {}
    for table, data in tables().items():
        for position, (name, cells) in enumerate(data.items()):
            cid = 10 + len(columns)
            values[cid] = cells
            text = name in ("town", "TOWN", "Code")
            row = {"cid": cid, "table_id": table, "pos": position, "column": name}
            columns.append(row | {"pool_text": text, "pool_key": name == "id"})
    tell = {row["cid"]: row for row in columns}
    cells = [
        {"table_id": row["table_id"], "pos": row["pos"], "column": row["column"], "values": values[row["cid"]]}
        for row in columns
    ]
    write(folder / "tables/part-000.parquet", cells[:7])  # a table goes on in the next file
    write(folder / "tables/part-001.parquet", cells[7:])
    write(folder / "columns.parquet", columns)

    def queries(name, qrels, chosen, pool, gain=lambda query, other: {}):
        write(folder / f"{name}.parquet", [{"query_id": f"q{cid}", "cid": cid} for cid in chosen])
        rows = []
        for cid in chosen:
            for other in tell:
                jn = share(values[cid], values[other])
                if pool(tell[other]) and tell[other]["table_id"] != tell[cid]["table_id"]:
                    row = {"query_id": f"q{cid}", "cid": other, "jn": jn} | gain(cid, other)
                    if jn > 0 or row.get("sj", 0) > 0:
                        rows.append(row)
        write(folder / f"{qrels}.parquet", rows)

    towns = [row["cid"] for row in columns if row["column"] == "town"]
    codes = [row["cid"] for row in columns if row["column"] == "Code"]
    keys = [row["cid"] for row in columns if row["column"] == "id"]

    def meaning(query, other):
        letters = [{value.split()[-1] for value in values[cid]} for cid in (query, other)]
        return {"sj": len(letters[0] & letters[1]) / len(letters[0])}

    queries("queries", "qrels_full", towns, lambda row: row["pool_text"])
    queries("queries_keys", "qrels_keys_full", keys, lambda row: row["pool_key"])
    queries("queries_semantic", "qrels_semantic", [towns[0], codes[0]], lambda row: row["pool_text"], meaning)
    sides = [("left", str.upper), ("right", lambda name: f"the {name}")]
    cases = [(f"case {i}", TOWNS[20 * i : 20 * i + 20]) for i in range(3)]
    fuzzy = [
        {"case": case, "side": side, "column": "name", "values": [change(name) for name in names]}
        for case, names in cases
        for side, change in sides
    ]
    write(folder / "fuzzy/columns.parquet", fuzzy)
    write(folder / "fuzzy/pairs.parquet", [{"case": c, "q_side": "left", "x_side": "right"} for c, _ in cases])
    return folder


@pytest.fixture
def pack_folder(tmp_path):
    """A pack of the test's own."""
    return write_pack(tmp_path / "pack")


@pytest.fixture(scope="session")
def measured(tmp_path_factory):
    """(pack, work folder, report) of one whole run; read only."""
    folder = tmp_path_factory.mktemp("bench")
    pack = write_pack(folder / "pack")
    return pack, folder / "work", bench.run(pack, bench.Options(ks=(3, 5), settings=SETTINGS), folder / "work")
