"""Find the kernel between two images, by least squares or by gradient descent."""
