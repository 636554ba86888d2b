import json
from dataclasses import dataclass

import pytest

import tablelens.lake
from tablelens.cli import main
from tablelens.engines.base import InlineEngine


@dataclass
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        """Its standard output as the one JSON document that it must be."""
        return json.loads(self.out)


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command in this process, without worker processes, with the encoder that has no weights."""
    monkeypatch.setattr(tablelens.lake, "LocalEngine", lambda *_: InlineEngine())
    monkeypatch.setenv("TABLELENS_ENCODER", "hash")

    def run_command(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        return Done(left.value.code, *capsys.readouterr())

    return run_command


@pytest.fixture
def ask(run, crawled):
    """Run a command on the tiny lake."""
    return lambda *arguments: run("--home", crawled.home, *arguments)
