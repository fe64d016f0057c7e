"""Train a model folder on a data set: recipe, feed, loop, checkpoints and curves.

`recipe` reads `[train]`, `feed` orders and reads samples, `learner` is one model under training,
`state` what survives a kill, `hush` quiets the start, `run` ties them together.
"""
