"""The command line: thin, the answer on stdout and everything else on stderr.

Exit codes: 0 ok · 1 internal · 2 usage · 3 not found · 4 bad data · 5 some files failed · 6 findings · 7 no access ·
8 locked or damaged · 130 interrupted.
"""

from __future__ import annotations

try:
    from tablelens.cli.main import main
except KeyboardInterrupt:  # Ctrl-C while the program is loaded, when nothing was begun yet
    raise SystemExit(130) from None

__all__ = ["main"]
