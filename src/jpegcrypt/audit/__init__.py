"""What leaks: tables of statistics and attacks, for our scheme and for any other.

A scheme is audited as a `target.Target`: something that turns a picture into a plain and an
encrypted JPEG file. `leakage` measures what the coefficients of a file give away, `attacks` tries
to get pictures back, `report` writes down what came out. Needs the extra ``audit``.
"""
