"""A run as a page of HTML without network, and as Markdown."""
