"""A model with what belongs to it: pictures, text or sound in, an answer out.

    from PACKAGE import Model

    model = Model()
    for found in model.predict("cat.jpg"):
        print(found.label, found.score)

`python -m PACKAGE FILE...` does the same, `python -m PACKAGE --check` proves it with golden cases.
Made by edgekit; needs numpy and one runtime, see the package's metadata.
"""

from edgekit.bundles.packaged.model import Found, Model

__all__ = ["Found", "Model"]
