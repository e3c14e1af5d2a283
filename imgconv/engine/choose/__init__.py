"""The one place where algorithms are chosen: for `layers` of many channels, and for `pictures`.

Whole numbers in, names out. Nothing that fixes the order of a sum may depend on the number of threads.
"""
