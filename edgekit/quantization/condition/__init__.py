"""Condition a float model for int8, before any converter sees it.

One pass over the frozen graph that all targets start from: batch norms are folded (`fold`), kernels
rounded onto the grid that every converter uses (`grid`), biases corrected for what rounding did to
output means (`bias`). The result is a float graph like any other; each converter's normal int8 path
makes it nearly lossless, and nearly equal to the others'. Needs unlabelled samples and seconds.
"""
