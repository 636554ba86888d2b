"""Data goes one way: a module imports its own layer and those before it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = (
    ("errors", "types", "settings", "progress"),
    ("catalog",),
    ("crawl",),
    ("profile",),
    ("contextualize",),
    ("encoders",),
    ("index",),
    ("discover", "match"),
    ("training", "transtab", "augment"),
    ("engines",),
    ("pipeline",),
    ("open_home",),
    ("lake",),
    ("client",),
    ("bench", "sql"),
    ("api",),
    ("cli",),
)
RANK = {name: rank for rank, layer in enumerate(ORDER) for name in layer}
ABOVE_ALL = {"testing", "__main__", "__init__"}
LIBRARY = sorted((ROOT / "tablelens").rglob("*.py"))


def imports(path):
    """(line, module) of each import of tablelens in a file, by its absolute name; also inside functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def layers(path):
    """(line, layer) of each import of tablelens in a file."""
    for line, module in imports(path):
        top, _, rest = module.partition(".")
        if top == "tablelens" and rest and not rest.startswith("__"):
            yield line, rest.split(".")[0]


def offences(files, allowed):
    found = []
    for path in files:
        found += [
            f"{path.relative_to(ROOT)}:{n} imports {layer}" for n, layer in layers(path) if not allowed(path, layer)
        ]
    return found


def layer_of(path):
    first = path.relative_to(ROOT / "tablelens").parts[0]
    return first.removesuffix(".py")


def test_every_module_has_a_layer():
    assert {layer_of(path) for path in LIBRARY} <= RANK.keys() | ABOVE_ALL


def test_the_library_imports_downward_only():
    """The command line alone stands above probes/, as it does above all."""

    def allowed(path, layer):
        if layer == "probes":
            return layer_of(path) == "cli"
        return layer_of(path) in ABOVE_ALL or RANK.get(layer, 99) <= RANK[layer_of(path)]

    assert offences(LIBRARY, allowed) == []


def test_api_does_not_import_probes():
    assert offences((ROOT / "api").rglob("*.py"), lambda path, layer: layer not in ("probes", "cli", "bench")) == []


def test_probes_import_no_further_than_the_index():
    """They measure encoders, and what becomes of their vectors in the join index."""
    known = {name for name, rank in RANK.items() if rank <= RANK["index"]} | {
        "transtab",
        "probes",
        "progress",
        "testing",
    }
    assert offences((ROOT / "probes").rglob("*.py"), lambda path, layer: layer in known) == []


@pytest.mark.parametrize("folder", ["tablelens", "api", "probes", "tests"])
def test_nobody_imports_a_folder_by_its_own_name(folder):
    names = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in (ROOT / folder).rglob("*.py")
        for line, module in imports(path)
        if module.partition(".")[0] in ("api", "probes", "sample_lake")
    ]
    assert names == []
