"""Vectors and value hashes to neighbours: HNSW, exact search, postings."""
