"""Measuring on the host's side: who is measured, round by round, and what two of them differ in.

`contenders` from names to jobs; `rounds` one round; `running` a run of them, kept as it goes;
`sustained` the same without a pause; `comparison` the figures of two contenders; `comparing` those
of kept runs; `passing` and `phases` what is measured apart from the rounds. What came out, as data,
are `edgekit.measure` and `edgekit.run`.
"""
