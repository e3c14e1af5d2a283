"""Runs over many images: where they come from, where results go, and what became of each."""
