"""Measurements behind the README's figures: `python -m benchmarks NAME`.

Each module has `run() -> dict`. A ratio always comes from one run that alternates both sides.
"""
