"""Make the shipped weights anew: distil a sentence encoder, crawl a lake pack, train on it.

    python benchmarks/make_weights.py PACK MODEL [--work FOLDER]

MODEL is a folder of all-MiniLM-L6-v2. About 20 minutes on two cores; the crawled lake is kept with --work and used
again. The result goes into tablelens/encoders/deepjoin, if it is better than the distilled one on tables kept aside.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from tablelens.bench.pack import read_pack
from tablelens.bench.prepare import prepare
from tablelens.cli.show import Bar
from tablelens.encoders.static import CONFIG, DEEPJOIN, SHIPPED
from tablelens.training.config import TrainConfig
from tablelens.training.distil import distil

NAME = "trained"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary) / "lake"
        base = Path(temporary) / "distilled"
        distil(given.model, base)
        ground, _ = prepare(read_pack(given.pack), work, {}, Bar())
        report = ground.lake.train(NAME, TrainConfig(), base=str(base), fresh=True, progress=Bar(), told=print)
        print(report.as_dict())
        for file in report.folder.iterdir():
            if file.name != "README.md":  # the card in the repository has more to say of the data
                shutil.copy(file, SHIPPED / file.name)
        named = json.loads((SHIPPED / CONFIG).read_text()) | {"name": DEEPJOIN}
        (SHIPPED / CONFIG).write_text(json.dumps(named, indent=2) + "\n")


if __name__ == "__main__":
    main()
