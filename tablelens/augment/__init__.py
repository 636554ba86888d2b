"""Discover → join → measure what the new columns are worth."""
