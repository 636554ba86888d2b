"""tablelens inside DuckDB: ``register`` on a connection, a shell, and the sources of a loadable extension."""

from tablelens.sql.functions import register

__all__ = ["register"]
