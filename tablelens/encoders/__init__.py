"""Text and values to one vector a column."""
