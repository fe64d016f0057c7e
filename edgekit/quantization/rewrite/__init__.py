"""Rewrites of the float graph that leave its function as it is and let int8 run faster or better.

Each has a module of its own that says where it applies. `rewriting` carries them out and proves
each by running the graph before and after it. Knows TensorFlow graphs; which target wants which
rewrite, its exporter says.
"""
