"""From a key to a plan: transform banks, key streams and permutations, as plain arrays.

Nothing here knows a byte of JPEG; the plan is applied by the compiled core.
"""
