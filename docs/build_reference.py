"""Write docs/reference from the code; with --check, exit with 1 where a page is stale.

python docs/build_reference.py [--check]
"""

from __future__ import annotations

import argparse
import inspect
import sys
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import row_figures
from tablelens.probes.registry import PROPERTIES

from tablelens import errors
from tablelens.cli.main import cli, register
from tablelens.contextualize.templates import TEMPLATES, ColumnFacts, contextualize
from tablelens.settings import CHOICES, Settings

HERE = Path(__file__).parent / "reference"
NOTE = "<!-- written by docs/build_reference.py -->\n\n"
EXIT_CODES = (
    (0, "done; none found is an answer too"),
    (1, "an error that no other code names"),
    (2, "the call is off: an option, a name, a setting"),
    (3, "something named does not exist"),
    (4, "a file or an encoder cannot be read"),
    (5, "`crawl`, `joins --batch`: done, but some files could not be read, some lines not answered"),
    (6, "`doctor`: something is wrong; `probe compare`: a gate is broken"),
    (7, "no key, or one that does not reach as far"),
    (8, "the catalogue is locked, or it or the index is damaged"),
    (130, "interrupted; what was done is kept"),
)
API = {
    "The lake": {"tablelens.lake": ("Lake",), "tablelens.settings": ("Settings",)},
    "Answers": {
        "tablelens.types": (
            "Answer",
            "Hit",
            "ColumnRef",
            "Evidence",
            "CellMatching",
            "CellPair",
            "CrawlReport",
            "RawTable",
        ),
        "tablelens.discover.tables": ("TableHit",),
        "tablelens.discover.paths": ("JoinPath", "Step"),
        "tablelens.discover.joins": ("Request",),
        "tablelens.pipeline.crawl": ("Plan",),
    },
    "A service over HTTP": {"tablelens.client": ("Client",)},
    "Encoders": {
        "tablelens.encoders": ("load_encoder", "encoder_names", "ColumnEncoder", "StaticEncoder", "SentenceEncoder"),
        "tablelens.types": ("ColumnText",),
    },
    "Row encoders": {"tablelens.transtab": ("TransTabClassifier", "TransTabRegressor", "TransTabEncoder")},
    "Engines and progress": {
        "tablelens.engines.local": ("LocalEngine",),
        "tablelens.engines.base": ("InlineEngine",),
        "tablelens.progress": ("Progress",),
    },
    "Probes": {
        "tablelens.probes": (
            *("run", "Budget", "load_model", "load_models", "model_names", "get_property"),
            *("generate", "from_sample_lake", "from_lake", "Dataset", "Run", "Result"),
        )
    },
    "For tests": {"tablelens.testing": ("HashEncoder", "make_lake", "assert_same_hits")},
}
"""Heading → module → names that the page of the Python API lists."""


def commands() -> str:
    """Each command with its help, and the exit codes."""
    register()
    pages = [_help(cli, None, "tablelens")]
    parent = click.Context(cli, info_name="tablelens")
    for name in cli.list_commands(parent):
        command = cli.get_command(parent, name)
        assert command is not None
        pages.append(f"## {name}\n\n" + _help(command, parent, name))
        inner = click.Context(command, info_name=name, parent=parent)
        for below, each in getattr(command, "commands", {}).items():
            pages.append(f"### {name} {below}\n\n" + _help(each, inner, below))
    codes = [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES]
    pages.append("## Exit codes\n\n| code | meaning |\n|---|---|\n" + "\n".join(codes) + "\n")
    return "# Commands\n\n" + "\n".join(pages)


def _help(command: click.Command, parent: click.Context | None, name: str) -> str:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=100, max_content_width=100)
    return f"```text\n{command.get_help(context)}\n```\n"


def settings() -> str:
    """Each setting with its default and what it may be."""
    least = {f.name: f.metadata["minimum"] for f in fields(Settings)}
    rows = []
    for name, default, text in Settings.describe():
        may = " or ".join(f"`{choice}`" for choice in CHOICES.get(name, ()))
        may = may or ("text" if isinstance(default, str) else f"at least {least[name]:g}")
        rows.append(f"| `{name}` | `{default}` | {may} | {text} |")
    head = """# Settings

A setting is given as `--set NAME=VALUE` before the command, as the variable `TABLELENS_` with its name in capitals,
as `NAME = VALUE` in `tablelens.toml` or under `[tool.tablelens]` in `pyproject.toml` beside the home, or in Python as
`Lake.open(home, NAME=VALUE)`. The first of these that names it wins; `tablelens config` says which did.

"""
    return head + "| setting | default | may be | what it does |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def error_codes() -> str:
    """Each error with code, exit code and meaning."""
    classes = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.TablelensError)]
    rows = [f"| `{cls.__name__}` | `{cls.code}` | {cls.exit_code} | {_first_line(cls)} |" for cls in classes]
    tree = inspect.getdoc(errors) or ""
    tree = "\n".join(line for line in tree.splitlines() if line.startswith("    "))
    head = (
        '# Errors\n\nWith `--json` an error is `{"error": {"code", "message", "hint"}}` on standard output; '
        "`code` is stable. In Python,\n`except tablelens.TablelensError` catches them all.\n\n"
    )
    table = "| class | code | exit code | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    return f"{head}```text\n{inspect.cleandoc(tree)}\n```\n\n{table}"


def templates() -> str:
    """Each template, filled."""
    cells = ["Apple", "GE", "Microsoft", "Yahoo!", "Amazon"]
    facts = ColumnFacts("Company", "Company information", cells, 5, (9, 2, 5.6), (1, 1, 1.0), "Firms of the USA.")
    rows = [f"| `{name}` | {contextualize(facts, name)} |" for name in TEMPLATES]
    words = contextualize(facts, unit="words")
    head = "# Templates\n\nDeepJoin's seven, for one column. The numbers are the greatest, least and mean length.\n\n"
    tail = f"\nWith `stat_unit` set to `words`, `title-colname-stat-col` is:\n\n{words}\n"
    return head + "| name | text |\n|---|---|\n" + "\n".join(rows) + "\n" + tail


def python() -> str:
    """The public names with their signatures and the first line of what they say."""
    top = ", ".join(f"`{name}`" for name in import_module("tablelens").__all__)
    parts = [f"# Python\n\n`from tablelens import …` gives {top}.\n"]
    for heading, modules in API.items():
        parts.append(f"## {heading}\n")
        for module, names in modules.items():
            parts += [_entry(getattr(import_module(module), name), f"{module}.{name}") for name in names]
    return "\n".join(parts)


def _entry(found: Any, path: str) -> str:
    """A class with its fields and methods, or a function."""
    name = path.rpartition(".")[2]
    if not isinstance(found, type):
        return f"### {name}\n\n`{path}{_signature(found)}`\n\n{_first_line(found)}\n"
    lines = [f"### {name}\n\n`{path}`\n\n{_first_line(found)}\n"]
    if found is Settings:
        lines[0] += "\nIts fields are in [settings](settings.md).\n"
    elif is_dataclass(found):
        lines.append("```python\n" + "\n".join(_field(field) for field in fields(found)) + "\n```\n")
    elif "__init__" in vars(found) and found.__name__ != "Lake" and not getattr(found, "_is_protocol", False):
        lines.append(f"`{name}{_signature(found)}`\n")
    # what a class has of a base of tablelens is its own to those who use it
    bases = [base for base in reversed(found.__mro__) if base.__module__.startswith("tablelens.")]
    members = dict.fromkeys(member for base in bases for member in vars(base) if not member.startswith("_"))
    rows = [row for member in members if (row := _member(found, member))]
    if rows:
        lines.append("| | |\n|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(lines)


def _field(field: Any) -> str:
    default = "" if field.default is MISSING else f" = {field.default!r}".replace("'", '"')  # as ruff formats it
    return f"{field.name}: {field.type}{default}"


def _member(owner: type, name: str) -> str:
    """A row for a method or property that has a docstring."""
    raw = inspect.getattr_static(owner, name)
    doc = _first_line(getattr(raw, "__func__", raw))
    if isinstance(raw, property) or type(raw).__name__ == "cached_property":
        return f"| `{name}` | {doc} |"
    if inspect.isfunction(raw) or isinstance(raw, classmethod):
        signature = _signature(getattr(owner, name)).replace("|", "\\|")
        return f"| `{name}{signature}` | {doc} |"
    return ""


def _signature(found: Any) -> str:
    """Parameters with types and defaults as they are written, without self."""
    parts, star = [], False
    for parameter in inspect.signature(found).parameters.values():
        if parameter.name == "self":
            continue
        mark = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parts.append("*")
        star = star or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        hint = "" if parameter.annotation is parameter.empty else f": {parameter.annotation}"
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        parts.append(f"{mark}{parameter.name}{hint}{default}")
    returns = inspect.signature(found).return_annotation
    made = "" if isinstance(found, type) or returns is inspect.Signature.empty else f" -> {returns}"
    return f"({', '.join(parts)}){made}"


def _first_line(found: Any) -> str:
    return (inspect.getdoc(found) or "").partition("\n\n")[0].replace("\n", " ").replace("``", "`")


def rest() -> str:
    """Each route with its parameters, body and answer, and each structure; from the OpenAPI document."""
    from tablelens.api import create_app

    document = create_app(Path("home-of-the-docs")).openapi_schema.to_schema()
    parts = [f"# REST\n\n{document['info']['description']}\n\nThe whole description is at `/schema/openapi.json`.\n"]
    for tag, operations in _by_tag(document["paths"]).items():
        parts.append(f"## {tag}\n")
        parts += [_operation(*each) for each in operations]
    parts.append("## Structures\n\nFields without a star may be left out.\n")
    parts += [_structure(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return "\n".join(parts)


def _by_tag(paths: dict[str, Any]) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    found: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in paths.items():
        for method, operation in methods.items():
            found.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    return found


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    lines = [f"### {method} {path}\n\n{operation['summary']}. {operation.get('description', '')}\n"]
    rows = [_parameter(each) for each in operation.get("parameters", ())]
    if rows:
        lines.append("| parameter | in | type | |\n|---|---|---|---|\n" + "\n".join(rows) + "\n")
    if "requestBody" in operation:
        ((media, body),) = operation["requestBody"]["content"].items()
        lines.append(f"Body: `{media}`, {_kind(body['schema'])}\n")
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            kinds = [f"`{media}`, {_kind(body['schema'])}" for media, body in answer.get("content", {}).items()]
            lines.append(f"Answer {status}: {'; '.join(kinds)}\n")
    others = ", ".join(status for status in operation["responses"] if not status.startswith("2"))
    return "\n".join([*lines, f"Problems: {others}\n"])


def _parameter(given: dict[str, Any]) -> str:
    schema, star = given["schema"], " *" if given["required"] else ""
    default = f"; default {schema['default']}" if schema.get("default") not in (None, "") else ""
    return f"| `{given['name']}`{star} | {given['in']} | {_kind(schema)} | {given.get('description', '')}{default} |"


def _structure(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        f"| `{field}`{' *' if field in required else ''} | {_kind(of)} | {of.get('description', '')} |"
        for field, of in schema.get("properties", {}).items()
    ]
    text = schema.get("description", "")
    return f"### {name}\n\n{text}\n\n| field | type | |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a word or two."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for key in ("oneOf", "anyOf", "allOf"):
        if key in schema:
            return " or ".join(_kind(each) for each in schema[key])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def properties() -> str:
    """Each property of the probes with its measures and limits."""
    head = """# Properties

What `tablelens probe run` asks of a model. Pass needs the whole 95 % interval of the headline at or above the first
limit, fail the whole interval below the second.
"""
    return "\n".join([head, *(_property(prop) for prop in PROPERTIES)])


def _property(prop: Any) -> str:
    meta = prop.meta
    limits = f"{meta.limits.good:g} and {meta.limits.poor:g}" if meta.limits else "none"
    facts = [f"{meta.paper} of Observatory"] if meta.paper else []
    facts += [f"levels: {', '.join(meta.levels)}", f"limits: {limits}"]
    facts += [f"source: {meta.reference}"] if meta.reference else []
    about = " ".join((inspect.getdoc(type(prop)) or "").split())
    rows = [f"| `{n}`{' (headline)' if n == meta.headline else ''} | {text} |" for n, text in meta.measures.items()]
    table = "\n".join(["| measure | what it says |", "|---|---|", *rows])
    return f"## {meta.id}\n\n**{meta.question}**\n({'; '.join(facts)})\n\n{about}\n\n{table}\n"


PAGES = {
    "properties.md": properties,
    "cli.md": commands,
    "settings.md": settings,
    "errors.md": error_codes,
    "templates.md": templates,
    "python.md": python,
    "rest.md": rest,
    "transtab-figures.md": row_figures.page,
}


def main() -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name, page in PAGES.items():
        path, text = HERE / name, NOTE + page()
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        elif not check:
            HERE.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"stale: {', '.join(stale)}; run python docs/build_reference.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
