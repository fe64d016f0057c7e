"""What runs on the device: load a model in one runtime, run it or time it, say where its ops ran.

The standard library, numpy and one runtime; never TensorFlow. Written for Python 3.10 and later,
since boards are behind; tested on 3.11. `python -m edgekit.agent`, or the zipapp that
`edgekit.agent.bundle` packs, takes a job (`edgekit.job`) and prints its result.
"""
