"""Modest, honest search: words against words, pictures against pictures."""
