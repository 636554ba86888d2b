"""The page as it lies in the checkout: nothing that the policy or the lake's names could turn against its reader."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "api" / "web"
SCRIPTS = sorted(PAGE.rglob("*.js"))
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc|setHTML"
)
CODE = re.compile(r"\beval\(|new Function|setTimeout\(\s*[\"'`]|javascript:")
FOREIGN = re.compile(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[\w-]+\.[\w.-]+")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(PAGE)))
def test_no_string_becomes_markup_or_code(script):
    text = script.read_text("utf-8")
    assert not MARKUP.findall(text)
    assert not CODE.findall(text)


def test_every_import_finds_its_module_and_its_names():
    for script in SCRIPTS:
        for names, target in re.findall(r"^import \{([^}]+)\} from \"([^\"]+)\";", script.read_text("utf-8"), re.M):
            module = (script.parent / target).resolve()
            exported = set(
                re.findall(r"^export (?:async )?(?:function\*?|const|class) (\w+)", module.read_text("utf-8"), re.M)
            )
            assert {name.strip() for name in names.split(",")} <= exported, f"{script.name}: {target}"


def test_every_import_is_used():
    for script in SCRIPTS:
        text = script.read_text("utf-8")
        for names in re.findall(r"^import \{([^}]+)\} from", text, re.M):
            body = re.sub(r"^import .*$", "", text, flags=re.M)
            unused = [name.strip() for name in names.split(",") if not re.search(rf"\b{name.strip()}\b", body)]
            assert not unused, f"{script.name}: {unused}"


def test_every_class_that_is_styled_is_used_and_every_colour_is_known():
    scripts = " ".join(path.read_text("utf-8") for path in [*SCRIPTS, PAGE / "index.html"])
    styles = "\n".join(path.read_text("utf-8") for path in PAGE.rglob("*.css"))
    without_values = re.sub(r"\{[^{}]*\}", "{}", styles)
    unused = [
        name
        for name in sorted(set(re.findall(r"\.([a-z][\w-]*)", without_values)))
        if not re.search(rf"\b{name}\b", scripts)
    ]
    assert not unused
    defined = set(re.findall(r"(--[\w-]+):", styles))
    assert set(re.findall(r"var\((--[\w-]+)\)", styles)) | set(re.findall(r"\"(--[\w-]+)\"", scripts)) <= defined


def test_the_document_holds_no_code_and_nothing_comes_from_elsewhere():
    document = (PAGE / "index.html").read_text("utf-8")
    assert re.findall(r"<script(?![^>]* src=)", document) == []
    assert re.findall(r"\son\w+=|style=", document) == []
    for path in [*SCRIPTS, *PAGE.rglob("*.css"), PAGE / "index.html"]:
        text = re.sub(r"^\s*(//|\*|/\*).*$", "", path.read_text("utf-8"), flags=re.M)
        assert FOREIGN.findall(text) == [], path.name
