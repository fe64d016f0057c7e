"""`python -m PACKAGE FILE...`: what the model sees; `--check` proves the installation."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict

from edgekit.bundles.packaged.model import Model
from edgekit.errors import EdgekitError


def main(words: list[str] | None = None) -> int:
    """Exit status 0, or 1 with one line that begins with `error:`."""
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description=__doc__)
    parser.add_argument("sample", nargs="*", help="a picture, a WAV file, or a text")
    parser.add_argument("--check", action="store_true", help="prove it with the golden cases")
    parser.add_argument("--device", help="class of device, to choose an artifact by")
    parser.add_argument("--artifact", help="label of an artifact")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args(words)
    if not asked.sample and not asked.check:
        parser.error("give a sample, or --check")
    try:
        model = Model(asked.device, artifact=asked.artifact)
        if asked.check:
            sys.stdout.write(f"{model.artifact.label}: {model.check()} golden cases hold\n")
        for sample in asked.sample:
            _print(sample, model, as_json=asked.json)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head`: whoever read it has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except (EdgekitError, ImportError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _print(sample: str, model: Model, *, as_json: bool) -> None:
    found = model.predict(sample)
    if as_json:
        document = {"sample": sample, "found": [asdict(one) for one in found]}
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        return
    for one in found:
        box = "" if one.box is None else "  " + " ".join(f"{value:.0f}" for value in one.box)
        sys.stdout.write(f"{sample}  {one.label}  {one.score:.3f}{box}\n")


if __name__ == "__main__":
    raise SystemExit(main())
