"""How the service answers under load: throughput and latency with wrk, while generations change; memory; start.

    python benchmarks/serve.py HOME [--seconds 60] [--connections 32] [--reload-every 15]

HOME is copied, so that its generations may be changed. wrk (Debian's package) asks /v1/columns/{id}/joins of columns
drawn at random, a new one each request. A reload is a new generation with the same content.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np
from tablelens.api.names import opaque

from tablelens.bench.machine import machine
from tablelens.index import generation
from tablelens.lake import Lake

RESULTS = Path(__file__).parent / "results"
COLUMNS = 2000
SCRIPT = """
local ids = {{ {ids} }}
function request()
  return wrk.format("GET", "/v1/columns/" .. ids[math.random(#ids)] .. "/joins?k=10")
end
function setup(thread) thread:set("seed", math.random(1000000)) end
function init() math.randomseed(seed or 1) end
function done(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d %d %d %.0f %.0f %.0f %.0f\\n", summary.requests, summary.duration,
    summary.errors.status, summary.errors.connect, summary.errors.read, summary.errors.write, summary.errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
"""
PATTERN = re.compile(r"^RESULT ([\d. ]+)$", re.MULTILINE)


def main() -> None:
    """Measure, and write results/serve.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--reload-every", type=float, default=15.0)
    parser.add_argument("--port", type=int, default=8899)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tablelens-bench-") as scratch:
        home = Path(scratch) / "home"
        shutil.copytree(asked.home, home)
        found = measure(home, Path(scratch), asked)
    (RESULTS / "serve.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "serve.md").write_text(page(found), encoding="utf-8")
    print(page(found))


def measure(home: Path, scratch: Path, asked: argparse.Namespace) -> dict:
    """Start the service, load it, look at its memory, stop it."""
    ids = some_ids(home)
    script = scratch / "joins.lua"
    script.write_text(SCRIPT.format(ids=", ".join(f'"{id_}"' for id_ in ids)), encoding="utf-8")
    address = f"http://127.0.0.1:{asked.port}"
    command = [sys.executable, "-Im", "tablelens", "--home", str(home), "--set", "rate_per_minute=0", "serve"]
    begun = time.monotonic()
    with (scratch / "log").open("w") as log:
        process = subprocess.Popen([*command, "--port", str(asked.port)], stderr=log)
    try:
        ready = until_ready(address, begun)
        start = {"seconds": round(ready, 2), "cpu_seconds": cpu_seconds(process.pid)}
        wrk(address, script, 5, asked.connections)  # warm: pages of mapped files, the encoder, caches
        before = cpu_seconds(process.pid)
        quiet = wrk(address, script, asked.seconds, asked.connections)
        quiet["cpu_ms_a_request"] = round(1000 * (cpu_seconds(process.pid) - before) / quiet["requests"], 2)
        memory: list[tuple[float, float]] = []
        stop = threading.Event()
        watcher = threading.Thread(target=watch, args=(process.pid, memory, stop))
        changer = threading.Thread(target=change, args=(home, asked.reload_every, stop))
        for thread in (watcher, changer):
            thread.start()
        busy = wrk(address, script, 2 * asked.seconds, asked.connections)
        stop.set()
        for thread in (watcher, changer):
            thread.join()
        columns = httpx.get(f"{address}/v1/status").json()["columns"]
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    finally:
        process.kill()
    reloads = sum(" answers" in line for line in (scratch / "log").read_text().splitlines()) - 1
    return {
        "machine": machine(), "load": [round(each, 1) for each in os.getloadavg()], "columns": columns,
        "connections": asked.connections, "start": start, "quiet": quiet, "reloading": busy | {"reloads": reloads},
        "memory": slope(memory),
    }  # fmt: skip


def some_ids(home: Path) -> list[str]:
    """Ids of columns that take part in joins, drawn at random."""
    view = Lake.open(home).view
    places = random.Random(1).sample(np.flatnonzero(view.usable).tolist(), COLUMNS)
    return [opaque(*(view.value(name, place) for name in ("lake", "table", "column"))) for place in places]


def until_ready(address: str, begun: float) -> float:
    """Seconds until /readyz says so."""
    while True:
        try:
            if httpx.get(f"{address}/readyz").status_code == 200:
                return time.monotonic() - begun
        except httpx.HTTPError:
            time.sleep(0.02)


def wrk(address: str, script: Path, seconds: int, connections: int) -> dict:
    """One run of wrk."""
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "30s", "-s", str(script)]
    done = subprocess.run([*command, address], capture_output=True, text=True, check=True)
    numbers = [float(each) for each in PATTERN.search(done.stdout)[1].split()]
    requests, duration = numbers[0], numbers[1] / 1e6
    return {
        "seconds": round(duration, 1), "requests": int(requests), "per_second": round(requests / duration, 1),
        "failed": int(sum(numbers[2:7])), "p50_ms": numbers[7] / 1000, "p95_ms": numbers[8] / 1000,
        "p99_ms": numbers[9] / 1000, "max_ms": numbers[10] / 1000,
    }  # fmt: skip


def change(home: Path, every: float, stop: threading.Event) -> None:
    """Publish a new generation, a copy of the one there, again and again; the two newest are kept, as gc does."""
    while not stop.wait(every):
        number = generation.current(home)
        fresh = number + 1
        shutil.copytree(generation.folder_of(home, number), generation.folder_of(home, fresh), copy_function=os.link)
        os.link(generation.catalog_of(home, number), generation.catalog_of(home, fresh))
        generation.publish(home, fresh)
        if number > 1:
            generation.drop(home, number - 1)


def watch(pid: int, memory: list[tuple[float, float]], stop: threading.Event) -> None:
    """(minutes, MB of anonymous memory) each second."""
    begun = time.monotonic()
    while not stop.wait(1.0):
        memory.append(((time.monotonic() - begun) / 60, anonymous_mb(pid)))


def anonymous_mb(pid: int) -> float:
    """Resident memory that is no page of a mapped file: those come and go with the files."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"RssAnon:\s+(\d+)", text)[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return round((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), 2)


def slope(memory: list[tuple[float, float]]) -> dict:
    """MB a minute over the second half, when what is filled once is filled."""
    half = np.array(memory[len(memory) // 2 :])
    fitted = np.polyfit(half[:, 0], half[:, 1], 1)[0]
    return {"first_mb": round(memory[0][1]), "last_mb": round(memory[-1][1]), "mb_a_minute": round(float(fitted), 2)}


def page(found: dict) -> str:
    """The figures as a page."""
    rows = [
        "| {name} | {seconds} | {requests:,} | {per_second} | {p50_ms:.1f} | {p95_ms:.1f} | {p99_ms:.1f} "
        "| {max_ms:.0f} | {failed} |".format(name=name, **run)
        for name, run in (
            ("no reload", found["quiet"]),
            (f"{found['reloading']['reloads']} reloads", found["reloading"]),
        )
    ]
    start, memory = found["start"], found["memory"]
    facts = ", ".join(f"{name} {value}" for name, value in found["machine"].items())
    return f"""# The service under load

`GET /v1/columns/{{id}}/joins?k=10` for columns drawn at random, {found["columns"]:,} columns in the lake,
{found["connections"]} connections of wrk on loopback, one process of the service. Written by `benchmarks/serve.py`.

{facts}; load of the machine at the end: {", ".join(map(str, found["load"]))}.

| | seconds | requests | a second | p50 ms | p95 ms | p99 ms | max ms | failed |
|---|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}

Processor time of the service a request, without reloads: {found["quiet"]["cpu_ms_a_request"]} ms, which other load does
not change much. Start to ready: {start["seconds"]} s, of which {start["cpu_seconds"]} s of processor time.

Anonymous memory while generations changed: {memory["first_mb"]:,} MB at first, {memory["last_mb"]:,} MB at last,
{memory["mb_a_minute"]} MB a minute over the second half.
"""


if __name__ == "__main__":
    main()
