"""The loadable DuckDB extension, in C: ``python -m tablelens.sql.extension.build`` compiles it."""
