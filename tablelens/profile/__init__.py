"""Columns to types, statistics and sets of hashed values."""
