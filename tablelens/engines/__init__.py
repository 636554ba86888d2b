"""Run the unit of work, one file, here or elsewhere."""
