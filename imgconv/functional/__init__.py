"""Torch-like calls on numpy arrays, and the same for pictures."""
