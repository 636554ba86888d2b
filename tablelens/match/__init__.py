"""Cell-level matching: which cell of one column stands for which of another, how, and how surely."""
