"""Runs over many images: input sources, output names, the work on each image, and its outcome."""
