"""The other end of LocalEngine: a process that takes items from a socket, and has limits.

Frames from the engine, pickled: ("use", function, shared) once for every map, then ("do", number, item) for every item.
Frames back, which are data alone: see ``frames``.
"""

from __future__ import annotations

import os
import pickle
import resource
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from tablelens.engines import frames
from tablelens.engines.base import WorkFailure, load


def main(descriptor: int, memory_mb: int) -> None:
    """Serve until the engine closes its end."""
    # Ctrl-C reaches the whole process group; the engine decides what becomes of its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_engine, args=(descriptor,), daemon=True).start()
    connection = Connection(descriptor)
    limit_memory(memory_mb)
    work: Callable[[Any], Any] = _no_work
    while True:
        try:
            frame = pickle.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        if frame[0] == "use":
            work = _use(connection, frame[1], frame[2])
        else:
            _do(connection, work, frame[1], frame[2])


def limit_memory(megabytes: int) -> None:
    """Limit what the process can write to, and no core file.

    RLIMIT_DATA counts private writable memory. RLIMIT_AS would also count address space that allocators and
    mapped libraries merely reserve, which is gigabytes before the first file is read.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    wanted = megabytes << 20
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    ceiling = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (ceiling, ceiling))


def _use(connection: Connection, function: str, shared: dict[str, Any]) -> Callable[[Any], Any]:
    try:
        found = load(function)
        _one_thread()
    except Exception as error:  # whatever importing raises, the engine must hear of it
        connection.send_bytes(frames.encode(frames.Frame("broken", text=f"{type(error).__name__}: {error}")))
        return _no_work
    connection.send_bytes(frames.encode(frames.Frame("ready")))
    return lambda item: found(item, **shared)


def _one_thread() -> None:
    """The engine has a process for every core, so Arrow shall not start threads for each as well."""
    if "pyarrow" in sys.modules:
        import pyarrow as pa

        pa.set_cpu_count(1)
        pa.set_io_thread_count(1)


def _do(connection: Connection, work: Callable[[Any], Any], number: int, item: Any) -> None:
    try:
        frame = frames.of_result(number, work(item))
    except BaseException as error:  # also SystemExit and panics of native readers: the item's outcome, not ours
        if isinstance(error, Exception) and not isinstance(error, MemoryError):
            detail = traceback.format_exc(limit=-3)
        else:
            detail = ""
        frame = frames.of_failure(number, WorkFailure.of(error, detail))
    connection.send_bytes(frame)


def _no_work(item: Any) -> Any:
    raise RuntimeError("no function was set")


def _leave_with_engine(descriptor: int) -> None:
    """End this process when the engine's is gone, even in the middle of an item."""
    poll = select.poll()
    poll.register(descriptor, 0)  # only the hang-up, which is always reported
    poll.poll()
    os._exit(0)
