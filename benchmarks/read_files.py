"""How fast are files read, beside the plain readers of other libraries? `python benchmarks/read_files.py FOLDER`

Every reader gets the same sample of files, one thread, and no cell is looked at afterwards. The plain readers are told
what tablelens finds out: that the file is a CSV, and nothing of its dialect. A refused file counts as read.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections import Counter, defaultdict
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"  # before polars is imported

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from tablelens.crawl.readers import read_file
from tablelens.crawl.walk import walk
from tablelens.settings import Settings

SETTINGS = Settings()
CONNECTION = duckdb.connect(config={"threads": 1})


def ours(file):
    read_file(file, SETTINGS)


def by_pyarrow(file):
    if file.path.endswith(".parquet"):
        pq.read_table(file.absolute, use_threads=False)
    else:
        pacsv.read_csv(file.absolute, pacsv.ReadOptions(use_threads=False), pacsv.ParseOptions(newlines_in_values=True))


def by_polars(file):
    if file.path.endswith(".parquet"):
        pl.read_parquet(file.absolute, glob=False)
    else:
        pl.read_csv(file.absolute, infer_schema=False, glob=False)


def by_duckdb(file):
    if file.path.endswith(".parquet"):
        CONNECTION.execute("FROM read_parquet(?)", [file.absolute]).to_arrow_table()
    else:
        CONNECTION.execute("FROM read_csv(?, all_varchar = true)", [file.absolute]).to_arrow_table()


READERS = {"tablelens": ours, "pyarrow": by_pyarrow, "polars": by_polars, "duckdb": by_duckdb}


def measure(files):
    """{(format, reader): (CPU seconds, refused)}; readers take turns file by file, so that noise hits all alike."""
    seconds, refused = defaultdict(float), Counter()
    for file in files:
        kind = file.path.lower().split("/")[-1].split(".", 1)[-1].split(".")[-1]
        Path(file.absolute).read_bytes()  # the first reader shall not be the one that waits for the disk
        for name, reader in READERS.items():
            start = time.process_time()
            try:
                reader(file)
            except Exception:  # what is refused is counted, whatever the library calls it
                refused[kind, name] += 1
            seconds[kind, name] += time.process_time() - start
    return seconds, refused


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=1000, help="sample of this many files")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pa.set_cpu_count(1)
    found = list(walk(options.folder))
    random.seed(options.seed)
    files = random.sample(found, min(options.files, len(found)))
    for file in files[:20]:  # imports and caches
        for reader in READERS.values():
            try:
                reader(file)
            except Exception:
                continue
    seconds, refused = measure(files)
    table = Table(
        "format", "files", "kB a file", "reader", "CPU ms a file", "MB/s", "refused", title=str(options.folder.name)
    )
    for kind in sorted({kind for kind, _ in seconds}):
        mine = [file for file in files if file.path.lower().endswith(kind)]
        size = sum(file.size for file in mine)
        for name in READERS:
            spent = seconds[kind, name]
            table.add_row(
                kind, f"{len(mine):,}", f"{size / len(mine) / 1e3:.1f}", name,
                f"{1e3 * spent / len(mine):.2f}", f"{size / 1e6 / max(spent, 1e-9):.0f}", str(refused[kind, name]),
            )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
