"""Columns to text: DeepJoin's seven templates."""
