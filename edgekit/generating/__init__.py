"""Making samples with a model: the loops around its graph, one file a kind.

Knows arrays, and a model as a function of arrays; in which runtime it runs is its caller's. Random
numbers are drawn here, outside of the graph, so that all files of one model make the same samples
of the same seed, but for what quantization changes.
"""
