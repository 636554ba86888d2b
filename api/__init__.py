"""The service: REST on Litestar, the web page, MCP. ``create_app(home)`` makes the application."""

from __future__ import annotations

from typing import Any

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    if name == "create_app":  # Litestar is imported by whoever serves, not by whoever makes a key
        from .app import create_app

        return create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
