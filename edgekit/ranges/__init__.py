"""Which values an 8-bit tensor has to hold: observed on calibration samples, chosen, audited.

`observer` keeps what is known of one tensor, `limits` chooses, `observing` holds many tensors while
a runtime runs, `audit` says how far the choice can be trusted. Knows arrays. Does not know models,
files or runtimes: exporters and conditioning bring the values.
"""
