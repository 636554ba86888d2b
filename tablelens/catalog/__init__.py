"""The catalogue: DuckDB through SQLAlchemy models, the only truth."""
