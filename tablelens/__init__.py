"""Find which columns of a data lake join, by value and by meaning; prove it, explain it, and do the join."""

__version__ = "0.1.0"
