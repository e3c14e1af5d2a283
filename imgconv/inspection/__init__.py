"""What a recipe does to an image: plans from sizes alone, and the arithmetic behind one output pixel."""
