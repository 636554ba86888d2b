"""How well joins are found: a lake pack with exact truth, the modes and baselines on it, one report."""
