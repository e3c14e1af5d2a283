"""Runs over many pictures: where they come from, where results go, and what became of each."""
