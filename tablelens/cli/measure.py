"""Commands that show and measure: demo, bench."""

from __future__ import annotations
