"""Neighbours to verified, ranked and explained joins."""
