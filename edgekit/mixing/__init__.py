"""Save an int8 artifact that missed its gate: search layers to keep in float, and prove the file.

The gate's samples are looked at three times at most beyond the first: every look favours a file
that happens to suit them. The search itself judges by other samples. Does not convert, and does not
choose limits.
"""
