"""One file a property."""
