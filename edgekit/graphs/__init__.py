"""The operators of model files, format by format, as one kind of graph, and what each computes."""
