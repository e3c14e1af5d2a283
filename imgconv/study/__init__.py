"""What helps a person see what a recipe does: plans, arithmetic, animations, previews, and kernels learnt from examples.

Everything here is data about pictures and recipes; how it looks in a terminal is the business of the command line.
"""
