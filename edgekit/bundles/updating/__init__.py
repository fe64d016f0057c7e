"""From one version of a bundle to the next, over the air: deltas, and how they are applied.

`delta` is the file between them, `steps` turns one file's bytes into another's, `making` writes a
delta and `applying` puts a new version in the place of an old one, whole or not at all.
"""
