"""Gates: whether artifacts keep the limits that a BUDGET.toml sets.

`budget` reads the file, `measuring` gets the figures, `judging` holds them against the limits,
`junit` and `github` write what came out for machines, `drafting` writes a first BUDGET.toml.
Prints nothing.
"""
