"""Filters and pools of images (H, W, C): from pixels through padding, loops and ranges to pixels."""
