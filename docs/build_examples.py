"""Write api/examples.json: one real answer of each operation, of the service over the sample lake.

python docs/build_examples.py
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from pathlib import Path
from typing import Any

from litestar.testing import TestClient
from tablelens.api import create_app

from tablelens.lake import Lake

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "api" / "examples.json"
HOST = "testserver.local"
RUN = {
    "id": "20260102-120000-abcdef", "started": "2026-01-02T12:00:00Z", "preset": "quick", "dataset": "sample_lake",
    "models": ["deepjoin-static"], "verdicts": {"pass": 8},
}  # fmt: skip
"""A probe run takes minutes, so its example is written by hand."""
AUGMENTED, AUGMENT = "us/county_unemployment", {"target": "rate", "judge": "trees", "k": 3}
ROWS = "world/countries"
SHORT = 2
"""Items of a list that an example shows."""
FILE = {"file": ("mine.csv", b"n,country\n1,France\n2,Kenya\n3,Peru\n4,Japan\n5,Chile\n")}


def main() -> None:
    """Crawl the sample lake, ask everything, keep what is short of it."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        lake = Lake.open(home)
        lake.crawl(ROOT / "sample_lake", "sample_lake")
        lake.index_rows("world/countr*")
        with TestClient(create_app(home, hosts=[HOST])) as client:
            found = {name: trimmed(answer) for name, answer in answers(client).items()}
    text = json.dumps(found, indent=1, ensure_ascii=False).replace(f"{ROOT}/sample_lake", "/data/sample_lake")
    TARGET.write_text(re.sub(r'"(uptime|seconds)": [\d.]+', r'"\1": 0.004', text) + "\n", encoding="utf-8")


def answers(client: TestClient[Any]) -> dict[str, Any]:
    """Operation id → its answer."""

    def ask(path: str, **parameters: Any) -> Any:
        return client.get(path, params=parameters).raise_for_status().json()

    column = ask("/v1/columns", name="aviation/routes_2026.Destination")
    id_, table = column["id"], column["table_id"]
    joins = ask(f"/v1/columns/{id_}/joins", k=2)
    other = joins["hits"][0]["column"]
    pair = f"/v1/columns/{id_}/joins/{other['id']}"
    body = {"values": ["France", "Kenya", "Peru", "Japan", "Chile"], "name": "country", "k": 1}
    verdict = client.put(f"{pair}/verdict", json={"joins": True, "note": "IATA codes"}).json()
    crawl = client.post("/v1/crawls", json={"lake": "sample_lake"}).json()
    augmented, rowed = (ask("/v1/tables/named", name=name)["id"] for name in (AUGMENTED, ROWS))
    augmentation = client.post("/v1/augmentations", json=AUGMENT | {"table": augmented})
    job = ended(client, augmentation.headers["location"])
    end = client.get("/v1/columns", params={"name": "finance/currencies.code"}).json()["table_id"]
    return {
        "isAlive": ask("/livez"), "isReady": ask("/readyz"), "getStatus": ask("/v1/status"),
        "listEncoders": ask("/v1/encoders"), "listGenerations": ask("/v1/generations"), "listLakes": ask("/v1/lakes"),
        "listFailures": ask("/v1/lakes/sample_lake/failures"), "listTables": ask("/v1/tables", limit=2),
        "findTable": ask("/v1/tables/named", name="aviation/airports"),
        "getTable": ask(f"/v1/tables/{table}"), "listColumns": ask(f"/v1/tables/{table}/columns"),
        "previewTable": ask(f"/v1/tables/{table}/preview", rows=2), "findUnions": ask(f"/v1/tables/{table}/unions"),
        "findColumn": column, "getProfile": ask(f"/v1/columns/{id_}"), "findJoins": joins,
        "explainJoin": ask(f"{pair}/evidence"), "runJoin": ask(f"{pair}/rows", rows=2),
        "findCompositeJoins": ask(f"/v1/tables/{table}/joins", column=["Source", "Destination"], k=1),
        "mapCells": ask(f"{pair}/mapping", rows=2),
        "joinValues": client.post("/v1/joins", json=body).json(),
        "joinFile": client.post("/v1/joins/file", files=FILE, data={"column": "country", "k": "1"}).json(),
        "listFileColumns": client.post("/v1/joins/file/columns", files=FILE).json(),
        "searchTables": ask("/v1/search", q="airport codes", k=2), "suggestNames": ask("/v1/suggestions", q="air", k=2),
        "searchColumns": ask("/v1/search/columns", q="iso", limit=2),
        "findPaths": ask("/v1/paths", **{"from": other["table_id"], "to": end, "k": 1}),
        "getGraph": ask("/v1/graph", table=table), "getMap": ask("/v1/map", limit=2),
        "giveVerdict": verdict, "listVerdicts": ask("/v1/verdicts"), "startCrawl": crawl,
        "getCrawl": ask(f"/v1/crawls/{crawl['id']}"), "listCrawls": ask("/v1/crawls"),
        "listProbes": {"items": [RUN], "next": None, "total": 1}, "getProbe": RUN | {"results": []},
        "startAugmentation": augmentation.json(), "getAugmentation": job,
        "listAugmentations": ask("/v1/augmentations"), "cancelAugmentation": job,
        "findSimilarRows": ask(f"/v1/tables/{rowed}/rows/80/similar", others=True, k=2),
        "cancelCrawl": client.delete(f"/v1/crawls/{crawl['id']}").json(),
    }  # fmt: skip


def ended(client: TestClient[Any], where: str) -> Any:
    """A job when it is over."""
    while (job := client.get(where).json())["state"] in ("waiting", "running"):
        time.sleep(0.5)
    return job


def trimmed(found: Any) -> Any:
    """The same with at most two items in each list."""
    if isinstance(found, dict):
        return {name: trimmed(value) for name, value in found.items()}
    if isinstance(found, list):
        return [trimmed(value) for value in found[:SHORT]]
    return found


if __name__ == "__main__":
    main()
