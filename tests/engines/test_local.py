import gc
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from tablelens.engines.base import InlineEngine, WorkFailure
from tablelens.engines.local import LocalEngine
from tablelens.errors import UsageError

WORK = """
import os, signal, sys, time, ctypes
from pathlib import Path
from tablelens.errors import UnreadableFile

def double(x, by=2): return x * by
def pid(x): return os.getpid()
def echo(x): return x
def sleep(x): time.sleep(x); return x
def fail(x): raise ValueError(f"no {x}")
def unreadable(x): raise UnreadableFile("bad", reason="bomb")
def leave(x): os._exit(x)
def quit(x): sys.exit(3)
def segfault(x): ctypes.string_at(0)
def killed(x): print("last words", file=sys.stderr, flush=True); os.kill(os.getpid(), signal.SIGKILL)
def once(x):
    if not Path(x).exists():
        Path(x).touch(); os._exit(1)
    return "second"
def odd(x):
    if x % 5 == 0: os._exit(9)
    return x
def hog(mb): return len(bytearray(mb << 20))
def chatter(x): sys.stderr.write("y" * x); return os.write(1, b"z" * x)
def lambda_(x): return lambda: x
class Evil:
    def __init__(self, path): self.path = path
    def __reduce__(self): return Path.touch, (Path(self.path),)
def forge(x):
    import gc, pickle
    from multiprocessing.connection import Connection
    from tablelens.engines import frames
    what, path = x
    wrong = frames.Frame("result", 0, "FileOutcome", frames.encode({"file": 1}))
    other = frames.Frame("result", 77, "", frames.encode(1))
    data = {"pickle": pickle.dumps((0, True, Evil(path))), "garbage": bytes([255]) * 100, "empty": b"",
            "other": frames.encode(other), "wrong": frames.encode(wrong), "huge": b"x"}[what]
    socket = next(o for o in gc.get_objects() if isinstance(o, Connection))
    if what == "huge":
        os.write(socket.fileno(), bytes([255] * 4 + [0, 0] + [255] * 6))  # the length, in Connection's long form
        time.sleep(60)
    socket.send_bytes(data)
    time.sleep(60)
def streams(x): return sys.stdin.read()
def limits(x):
    import resource
    return resource.getrlimit(resource.RLIMIT_CORE)[0]
"""

ARROW = """
import os, pyarrow

def threads(x): return pyarrow.cpu_count(), pyarrow.io_thread_count(), os.environ["OMP_NUM_THREADS"]
"""


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    (tmp_path / "lens_work.py").write_text(WORK)
    (tmp_path / "lens_arrow.py").write_text(ARROW)
    (tmp_path / "lens_broken.py").write_text("import nothing_of_this_name")
    (tmp_path / "lens_dying.py").write_text("import os; os._exit(7)")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
def engine():
    with LocalEngine(2, memory_mb=512, seconds=20) as made:
        yield made


def run(engine, function, items, **shared):
    return sorted(engine.map(f"lens_work:{function}", items, **shared), key=repr)


@pytest.mark.parametrize("kind", [InlineEngine, lambda: LocalEngine(2)])
def test_results_with_their_items(kind):
    engine = kind()
    assert sorted(engine.map("lens_work:double", range(100), by=3)) == [(i, 3 * i) for i in range(100)]
    assert list(engine.map("lens_work:double", [])) == []
    assert [(r.reason, r.message) for _, r in engine.map("lens_work:fail", [1])] == [("error", "ValueError: no 1")]
    assert [r.reason for _, r in engine.map("lens_work:unreadable", [1])] == ["bomb"]
    with pytest.raises(UsageError):
        list(engine.map("lens_work:missing", [1]))
    with pytest.raises(UsageError):
        list(engine.map("lens_broken:x", [1]))
    engine.close()


def test_workers_are_other_processes_and_live_on(engine):
    first = {result for _, result in run(engine, "pid", range(50))}
    again = {result for _, result in run(engine, "pid", range(50))}
    assert len(first) == 2
    assert os.getpid() not in first
    assert first == again


def test_endless_items_are_taken_lazily(engine):
    taken = itertools.count()
    results = engine.map("lens_work:echo", taken)
    assert len(list(itertools.islice(results, 100))) == 100
    results.close()
    assert next(taken) < 110


def test_slow_items_do_not_hold_up_others(engine):
    order = [item for item, _ in engine.map("lens_work:sleep", [3, 0.01, 0.02, 0.03])]
    assert sorted(order) == [0.01, 0.02, 0.03, 3]
    assert order[0] == 0.01


def test_large_items_and_results(engine):
    items = [bytes([i]) * (3 << 20) for i in range(6)]
    assert sorted(engine.map("lens_work:echo", items)) == [(item, item) for item in items]


def test_overtime():
    with LocalEngine(2, seconds=2) as engine:
        start = time.monotonic()
        results = dict(engine.map("lens_work:sleep", [0.01, 60, 0.02, 0.03, 0.04]))
        assert time.monotonic() - start < 30
        assert results.pop(60).reason == "timeout"
        assert all(item == result for item, result in results.items())


def test_time_that_the_caller_takes_is_not_the_workers():
    with LocalEngine(1, seconds=1) as engine:
        for item, result in engine.map("lens_work:sleep", [0.01, 0.02]):
            time.sleep(1.2)
            assert item == result


@pytest.mark.parametrize(("function", "why"), [("segfault", "SIGSEGV"), ("leave", "exit 5"), ("killed", "SIGKILL")])
def test_death(engine, function, why):
    ((_, result),) = engine.map(f"lens_work:{function}", [5])
    assert (result.reason, result.attempts) == ("crashed", 2)
    assert why in result.message
    assert ("last words" in result.detail) == (function == "killed")
    assert run(engine, "double", [1]) == [(1, 2)]


def test_exit_of_the_work_is_an_error(engine):
    ((_, result),) = engine.map("lens_work:quit", [1])
    assert (result.reason, result.message) == ("error", "SystemExit: 3")


def test_items_are_tried_again(engine, tmp_path):
    assert run(engine, "once", [str(tmp_path / "flag")])[0][1] == "second"
    engine.retries = 0
    ((_, result),) = engine.map("lens_work:once", [str(tmp_path / "flag2")])
    assert (result.reason, result.attempts) == ("crashed", 1)


def test_deaths_cost_nobody_else_a_result(engine):
    results = dict(engine.map("lens_work:odd", range(20)))
    assert sorted(results) == list(range(20))
    assert {i for i, r in results.items() if isinstance(r, WorkFailure)} == {0, 5, 10, 15}


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts mapped memory on Linux only")
def test_memory_limit(engine):
    results = dict(engine.map("lens_work:hog", [10, 2000, 20]))
    assert results[2000].reason == "memory"
    assert (results[10], results[20]) == (10 << 20, 20 << 20)


def test_a_result_that_no_frame_can_hold_is_an_error(engine):
    ((_, result),) = engine.map("lens_work:lambda_", [1])
    assert (result.reason, result.message) == ("error", "TypeError: a worker cannot send back a function")


@pytest.mark.parametrize("what", ["pickle", "garbage", "empty", "other", "wrong", "huge"])
def test_a_worker_that_is_broken_into_cannot_harm_its_engine(engine, tmp_path, what):
    """It writes to the socket what it likes: a pickle that would run code, another item's number, a wrong type."""
    flag = tmp_path / "flag"
    ((_, result),) = engine.map("lens_work:forge", [(what, str(flag))])
    assert (result.reason, result.attempts) == ("crashed", 2)
    assert not flag.exists()
    assert run(engine, "double", [1]) == [(1, 2)]


def test_chatter_is_bounded(engine):
    assert [r for _, r in engine.map("lens_work:chatter", [3_000_000] * 3)] == [3_000_000] * 3
    assert all(len(worker.tail) <= 4000 for worker in engine._pool)


def test_surroundings(engine):
    assert run(engine, "streams", [1]) == [(1, "")]
    assert run(engine, "limits", [1]) == [(1, 0)]
    assert list(engine.map("lens_arrow:threads", [1])) == [(1, [1, 1, "1"])]


def test_one_map_at_a_time(engine):
    first = engine.map("lens_work:echo", [1, 2])
    next(first)
    with pytest.raises(UsageError, match="busy"):
        next(engine.map("lens_work:echo", [1]))
    first.close()
    assert run(engine, "echo", [1]) == [(1, 1)]


def test_workers_that_cannot_start_are_an_error_not_a_loop(engine):
    from tablelens.errors import TablelensError

    with pytest.raises(TablelensError, match="exit 7"):
        list(engine.map("lens_dying:x", [1]))


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"


def test_closing_the_results_kills_busy_workers(engine):
    results = engine.map("lens_work:sleep", [0.01, 60, 60, 60])
    next(results)
    pids = [worker.process.pid for worker in engine._pool]
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 30
    assert not any(map(alive, pids))
    assert run(engine, "double", [1]) == [(1, 2)]


def test_nothing_is_left_behind():
    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    gc.collect()
    before, threads = descriptors(), threading.active_count()
    for _ in range(3):
        engine = LocalEngine(2)
        list(engine.map("lens_work:odd", range(6)))
        pids = [worker.process.pid for worker in engine._pool]
        engine.close()
        assert not any(map(alive, pids))
    assert descriptors() == before
    assert threading.active_count() == threads
    for pid in pids:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def test_an_engine_that_is_forgotten_ends():
    engine = LocalEngine(1)
    ((_, pid),) = engine.map("lens_work:pid", [1])
    del engine
    gc.collect()
    assert not alive(pid)


SCRIPT = """
import sys, os
from tablelens.engines.local import LocalEngine
engine = LocalEngine(2)
for item, result in engine.map("lens_work:pid", [1, 2, 3, 4]):
    print(result, flush=True)
for _ in engine.map("lens_work:sleep", [60, 60]):
    pass
"""  # no guard around the main part, on purpose


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_engine(tmp_path, end):
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, tmp_path / "script.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    ) as script:
        pids = {int(script.stdout.readline()) for _ in range(4)}
        time.sleep(0.3)
        script.send_signal(end)
        script.wait(10)
    deadline = time.monotonic() + 30
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, pids))
