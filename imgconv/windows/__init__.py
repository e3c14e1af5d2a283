"""What all operations on sliding windows share: borders, im2col layout, reductions, medians, cross-correlation."""
