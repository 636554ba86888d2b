"""What is in the checkout is what gets installed, and nothing else."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]


def test_every_package_is_listed():
    folders = {folder: name for name, folder in SETUPTOOLS["package-dir"].items()}
    found = set()
    for top in ("tablelens", *folders):
        for init in (ROOT / top).rglob("__init__.py"):
            dotted = ".".join(init.parent.relative_to(ROOT).parts)
            found.add(dotted.replace(top, folders.get(top, top), 1))
    assert found == set(SETUPTOOLS["packages"])


def test_every_data_pattern_finds_a_file():
    for package, patterns in SETUPTOOLS["package-data"].items():
        top = next((name for name in SETUPTOOLS["package-dir"] if f"{package}.".startswith(f"{name}.")), "")
        moved = package.replace(top, SETUPTOOLS["package-dir"][top], 1) if top else package
        folder = ROOT / moved.replace(".", "/")
        for pattern in patterns:
            assert list(folder.glob(pattern)), f"{package}: {pattern}"


def test_versions_agree():
    import tablelens

    assert tablelens.__version__ == PROJECT["project"]["version"]


@pytest.mark.slow
def test_the_wheel_holds_tablelens_alone(tmp_path):
    source = tmp_path / "source"  # a build leaves files behind, which the next one would take for its own
    left_out = shutil.ignore_patterns(".*cache", ".git", ".venv", "build", "*.egg-info", "tests", "benchmarks", "docs")
    shutil.copytree(ROOT, source, ignore=left_out)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(source)]
    subprocess.run(build, check=True, capture_output=True, timeout=280)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    info = f"tablelens-{PROJECT['project']['version']}.dist-info"
    assert {name.partition("/")[0] for name in names} == {"tablelens", info}
    for package in SETUPTOOLS["packages"]:
        assert f"{package.replace('.', '/')}/__init__.py" in names
    assert "tablelens/discover/calibration.json" in names
    assert "tablelens/py.typed" in names
