"""The stages strung together: crawl, then build."""
