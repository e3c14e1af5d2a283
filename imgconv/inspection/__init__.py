"""Inspection of recipes: plans, which need only sizes, and the arithmetic behind one output pixel."""
