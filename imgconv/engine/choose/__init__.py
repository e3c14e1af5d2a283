"""The one place where algorithms are chosen: for `layers` of many channels, and for `pictures`.

Whole numbers in, names out. Nothing here may depend on the number of threads: a choice fixes the order of the sums.
"""
