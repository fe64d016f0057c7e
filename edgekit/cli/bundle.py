"""`edgekit bundle`."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.bundles import platforms
from edgekit.cli import names, output
from edgekit.errors import UsageError


@click.command("bundle")
@click.argument("artifact", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--platform",
    required=True,
    shell_complete=names.complete_platforms,
    help=f"What the app is built for: {', '.join(platforms.names())}.",
)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="The bundle's folder, or a .zip.",
)
@click.option("--name", help="Of the bundle and of the package in it; the model's by default.")
@click.option("--version", default="1.0.0", show_default=True, help="Of the bundle.")
@click.option(
    "--for",
    "choice",
    multiple=True,
    metavar="DEVICE=ARTIFACT",
    help="A class of device, and the label of the artifact for it: phone=tflite-int8.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="Detectors: lowest score of an object that the app shows; 0.25 by default.",
)
@click.option(
    "--overlap",
    type=click.FloatRange(0, 1),
    help="Detectors: highest IoU of two objects of a class that it shows; 0.45 by default.",
)
@click.option(
    "--measured",
    multiple=True,
    metavar="DEVICE",
    shell_complete=names.complete_devices,
    help="Put the newest figures of this device inside, and choose its fastest artifact for it.",
)
@click.option("--licence", help="SPDX identifier of the weights; the reference model's by default.")
@click.option(
    "--core-ml",
    is_flag=True,
    help="iOS: put the artifacts' source inside as Core ML, too; nothing here can prove it.",
)
@click.option("--source", help="Model that the artifacts were exported from, for --core-ml.")
@click.option(
    "--weights", type=click.Path(path_type=Path), help="Weights of that model, for --core-ml."
)
@click.option(
    "--sign",
    "key",
    metavar="KEY|sigstore",
    type=click.Path(path_type=Path),
    help="Private elliptic-curve key (PEM); or sigstore: no key, but a login, over the network.",
)
@click.option("--password", envvar="EDGEKIT_KEY_PASSWORD", show_envvar=True, help="Of that key.")
@output.common_options
def command(
    *,
    artifact: tuple[Path, ...],
    platform: str,
    out: Path,
    name: str | None,
    version: str,
    choice: tuple[str, ...],
    threshold: float | None,
    overlap: float | None,
    measured: tuple[str, ...],
    licence: str | None,
    core_ml: bool,
    source: str | None,
    weights: Path | None,
    key: Path | None,
    password: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Package ARTIFACTs for an app team, with what proves them.

    The bundle holds the artifacts, labels, golden cases, the contract of pre- and postprocessing, a
    bill of materials, and what the platform needs; edgekit verify looks at every file of it.
    ARTIFACT is an artifact's folder, or one that holds some; the first is what an app takes
    where it knows nothing better.
    """
    from edgekit.bundles.coreml import UNPROVEN
    from edgekit.verbs.bundle import BundleRequest, bundle

    if (source or weights) and not core_ml:
        raise UsageError("--source and --weights say what --core-ml converts")

    request = BundleRequest(
        artifact,
        platform,
        out,
        name=name,
        version=version,
        choice=dict(map(_parse, choice)),
        threshold=threshold,
        overlap=overlap,
        measured=measured,
        key=key,
        password=password,
        licence=licence,
        core_ml=core_ml,
        source=source,
        weights=weights,
    )
    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        made = bundle(request, report=report)
    if as_json:
        output.print_json(made.to_json())
        return
    contents = made.verified.contents
    output.print_facts(
        f"{contents.name} {contents.version} for {contents.platform}",
        {
            "file" if made.verified.folder.is_file() else "folder": str(made.verified.folder),
            "artifacts": ", ".join(
                f"{one.label} {one.bytes:,} bytes" for one in contents.artifacts
            ),
            "files": f"{len(contents.files)}, {made.bytes:,} bytes",
            **(
                {"unproven": f"Core ML: {UNPROVEN}; swift test on a Mac proves it"}
                if core_ml
                else {}
            ),
            "signed": "yes" if made.verified.has_signature else "no: --sign KEY signs it",
            "next": f"edgekit verify {made.verified.folder}; README.md in it",
        },
    )


def _parse(text: str) -> tuple[str, str]:
    device, equals, label = text.partition("=")
    if not (device and equals and label):
        raise UsageError(f"--for {text}: expected DEVICE=ARTIFACT", hint="--for phone=tflite-int8")
    return device, label
