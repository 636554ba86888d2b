"""Commands of the service: serve, keys."""

from __future__ import annotations

import time
from typing import Any

import click

from tablelens.cli import show
from tablelens.cli.main import cli, hint, json_option, lake_of, write_json
from tablelens.errors import MissingExtra
from tablelens.settings import find_home


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; another one needs keys.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(1, 65535), help="Port to listen at.")
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME", help="A name under which the service is asked.")
@click.pass_context
def serve(ctx: click.Context, host: str, port: int, hosts: tuple[str, ...]) -> None:
    """Serve REST, the web page and MCP until Ctrl-C.

    \b
    Example:
      tablelens serve --port 8765
    """
    from tablelens.api.run import serve as run  # Litestar is imported by those who serve

    lake = lake_of(ctx)
    run(lake.home, lake.settings, host, port, hosts)


@cli.command()
@click.pass_context
def mcp(ctx: click.Context) -> None:
    """Serve an agent on standard input and output by MCP, the Model Context Protocol.

    \b
    Example:
      tablelens mcp
    """
    try:
        from tablelens.api.stdio import serve as run
    except ImportError as error:
        raise MissingExtra.of("mcp", "mcp", "MCP") from error
    lake = lake_of(ctx)
    run(lake.home, lake.settings)


@cli.group()
def keys() -> None:
    """API keys of the home. As soon as there is one, every request needs one.

    \b
    Example:
      tablelens keys create analyst --scope read:shop
      tablelens keys list
    """


@keys.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, help="admin, read:LAKE or write:LAKE; * for all.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Valid for so many days [default: for ever].")
@json_option
@click.pass_context
def create(ctx: click.Context, name: str, scopes: tuple[str, ...], days: float | None, as_json: bool) -> None:
    """Make a key. It is shown once and kept nowhere.

    \b
    Example:
      tablelens keys create analyst --scope read:shop
    """
    text, key = _ring(ctx).make(name, scopes, days or 0.0)
    if as_json:
        write_json({"id": key.id, "key": text, "name": name, "scopes": list(scopes), "expires": key.expires})
        return
    click.echo(text)
    hint(ctx, f"key {key.id}; send it as Authorization: Bearer …, it is not shown again")


@keys.command("list")
@json_option
@click.pass_context
def list_keys(ctx: click.Context, as_json: bool) -> None:
    """The keys, with what they may do.

    \b
    Example:
      tablelens keys list
    """
    found = _ring(ctx).all()
    if as_json:
        fields = ("id", "name", "scopes", "created", "expires", "revoked")
        write_json({"keys": [{name: getattr(key, name) for name in fields} for key in found]})
        return
    if not found:
        click.echo("none: on the loopback address everybody may do everything")
        return
    rows = [(key.id, key.name, ", ".join(key.scopes), _day(key.created), _state(key)) for key in found]
    show.table(("id", "name", "scopes", "created", "state"), rows)


@keys.command("revoke")
@click.argument("key_id", metavar="ID")
@click.pass_context
def revoke(ctx: click.Context, key_id: str) -> None:
    """Let a key open nothing from now on, also in a server that runs.

    \b
    Example:
      tablelens keys revoke 1a2b3c4d
    """
    key = _ring(ctx).revoke(key_id)
    click.echo(f"revoked {key.id} ({show.plain(key.name).plain})")


def _ring(ctx: click.Context) -> Any:
    from tablelens.api.keys import KeyRing

    return KeyRing(find_home(ctx.find_root().obj["home"]))


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def _state(key: Any) -> str:
    if key.revoked:
        return f"revoked {_day(key.revoked)}"
    if key.expires:
        return ("expired " if key.expires < time.time() else "until ") + _day(key.expires)
    return "valid"
