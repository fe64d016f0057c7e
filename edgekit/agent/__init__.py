"""What runs on the device: load a model in one runtime, run it or time it, say where its ops ran.

The standard library, numpy and one runtime; never TensorFlow. `python -m edgekit.agent`, or the
zipapp of `edgekit.agent.bundle`, takes a job (`edgekit.job`) and prints its result.
"""
