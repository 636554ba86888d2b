"""API keys: made once and shown once, kept as hashes in ``keys.json`` of the home, checked in constant time.

A key is ``tl_ID_SECRET`` with 256 random bits of secret, so that plain SHA-256 is enough. Scopes: ``read:LAKE``,
``write:LAKE`` (crawl it; implies reading), ``admin``; ``*`` stands for every lake.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tablelens.errors import CatalogError, NotFound, UsageError

FILE = "keys.json"
SCOPE = re.compile(r"admin|(?:read|write):.+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept. Times are seconds since 1970; 0 for never."""

    id: str
    name: str
    scopes: tuple[str, ...]
    sha256: str
    created: float
    expires: float = 0.0
    revoked: float = 0.0

    def valid(self, now: float) -> bool:
        """Whether it opens anything at a time."""
        return not self.revoked and (not self.expires or now < self.expires)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks, and what that one may do.

    >>> sorted(Visitor("k1", ("read:shop", "write:web")).readable(["shop", "web", "hr"]))
    ['shop', 'web']
    """

    id: str
    scopes: tuple[str, ...]

    @property
    def admin(self) -> bool:
        """May do everything."""
        return "admin" in self.scopes

    def may(self, action: str, lake: str) -> bool:
        """Whether it may ``read`` or ``write`` a lake."""
        granted = (action,) if action == "write" else (action, "write")
        return self.admin or any(f"{verb}:{name}" in self.scopes for verb in granted for name in (lake, "*"))

    def readable(self, lakes: Sequence[str]) -> frozenset[str]:
        """Those lakes that it may read."""
        return frozenset(lake for lake in lakes if self.may("read", lake))


EVERYBODY = Visitor("", ("admin",))
"""Whoever asks on the loopback address of a home without keys."""


class KeyRing:
    """The keys of a home. The file is read again when it has changed, so that a revoked key opens nothing more."""

    def __init__(self, home: Path) -> None:
        self.path = home / FILE
        self._read_at: tuple[int, int] | None = None
        self._keys: dict[str, Key] = {}

    def all(self) -> list[Key]:
        """Every key that was ever made, also those that were revoked."""
        try:
            info = self.path.stat()
        except FileNotFoundError:
            self._keys, self._read_at = {}, None
            return []
        if self._read_at != (info.st_mtime_ns, info.st_size):
            self._keys = self._load()
            self._read_at = (info.st_mtime_ns, info.st_size)
        return list(self._keys.values())

    @property
    def needed(self) -> bool:
        """Whether a key is needed: one was ever made here."""
        return bool(self.all())

    def make(self, name: str, scopes: Sequence[str], days: float = 0.0) -> tuple[str, Key]:
        """A new key, and the text of it, which is kept nowhere.

        Raises:
            UsageError: a scope that is none.
        """
        for scope in scopes:
            if not SCOPE.fullmatch(scope):
                raise UsageError(
                    f"unknown scope {scope!r}", "known are admin, read:LAKE and write:LAKE; * is every lake"
                )
        if not scopes:
            raise UsageError("a key without a scope opens nothing", "give --scope read:LAKE, write:LAKE or admin")
        id_, secret, now = secrets.token_hex(4), secrets.token_urlsafe(32), time.time()
        text = f"tl_{id_}_{secret}"
        key = Key(id_, name, tuple(scopes), _digest(text), now, now + days * 86400 if days else 0.0)
        with self._changing():
            self._keys[id_] = key
        return text, key

    def revoke(self, id_: str) -> Key:
        """Let a key open nothing from now on.

        Raises:
            NotFound: there is none of that id.
        """
        with self._changing():
            if id_ not in self._keys:
                raise NotFound.among("key", id_, self._keys, "tablelens keys list")
            self._keys[id_] = replace(self._keys[id_], revoked=self._keys[id_].revoked or time.time())
        return self._keys[id_]

    def visitor(self, text: str) -> Visitor | None:
        """Who holds a key; None where it is not valid."""
        self.all()
        key = self._keys.get(text[3:11])
        known = key.sha256 if key else _digest("")  # the comparison is made in any case
        same = hmac.compare_digest(known, _digest(text))
        return Visitor(key.id, key.scopes) if key and same and key.valid(time.time()) else None

    def still(self, visitor: Visitor) -> bool:
        """Whether a visitor's key is valid to this day."""
        self.all()
        key = self._keys.get(visitor.id)
        return key.valid(time.time()) if key else not self._keys

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the file's lock, see what others wrote, write what the caller changed."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with (self.path.parent / f"{FILE}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._read_at = None
            self.all()
            yield
            fresh = self.path.with_suffix(".tmp")
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                json.dump([asdict(key) for key in self._keys.values()], file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)

    def _load(self) -> dict[str, Key]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            return {each["id"]: Key(**(each | {"scopes": tuple(each["scopes"])})) for each in found}
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise CatalogError(f"cannot read the keys in {self.path}: {error}", "mend the file") from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
