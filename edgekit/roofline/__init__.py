"""How far a file is from what the machine can do: limits measured, work counted, shares computed.

`counting` reads what a file has to compute and to move, `probing` measures the machine in child
processes, `shares` puts both and a latency together, `picture` draws it. Does not measure files.
"""
