"""Which layer of a written file loses accuracy against its float source.

The file is read layer by layer in its own runtime and process (`reading`), the float graph it was
made from is run beside it (`comparing`), tensors are paired by name or by values (`matching`), and
what differs is measured (`signal`). Changes nothing.
"""
