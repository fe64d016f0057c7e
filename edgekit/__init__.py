"""edgekit: from a Keras model to proven, measured, packaged artifacts on devices."""

__version__ = "0.1.0"
