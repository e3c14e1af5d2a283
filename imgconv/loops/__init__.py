"""The only code that touches every pixel: plain Python functions that `imgconv.engine.compiled` compiles.

House rules, so that a loop can be cached as object code and called from any thread: it only fills arrays that are passed in (it
allocates nothing, raises nothing, returns nothing), works on whole rows through views, and imports nothing of ours.
"""
