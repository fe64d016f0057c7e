"""`edgekit quantize`: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import output
from edgekit.cli.types import FiniteFloat, numbers, value_range
from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.making import Made


@click.command("quantize")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Samples for calibration and proof: a folder of pictures, with or without class folders, "
    "or an .npz.",
)
@click.option("--dataset", help="A known data set, instead of --data.")
@click.option(
    "--target",
    "-t",
    "targets",
    multiple=True,
    help="Of .onnx files: onnx, openvino; of .tflite files: tflite.",
)
@click.option(
    "--precision",
    "-p",
    "precisions",
    multiple=True,
    help="int8 if not given; fp16, dynamic, int4, 16x8; repeatable.",
)
@click.option(
    "--io",
    type=click.Choice(["native", "float", "int8", "uint8"]),
    default="native",
    show_default=True,
    help="Inputs and outputs of int8 files; native keeps the file's.",
)
@click.option(
    "--layout",
    type=click.Choice(["NCHW", "NHWC"], case_sensitive=False),
    help="Where a picture's channels are, if the shape does not tell.",
)
@click.option("--input-range", metavar="LOW,HIGH", help="What levels 0 and 255 become.")
@click.option("--mean", metavar="NUMBERS", help="Subtracted from each channel after that.")
@click.option("--std", metavar="NUMBERS", help="What each channel is divided by then.")
@click.option("--input-shape", metavar="SIZES", help="Of one sample, where axes are open.")
@click.option("--calibration-samples", type=click.IntRange(min=1), help="For int8 ranges.")
@click.option("--samples", type=click.IntRange(min=1), help="Samples to compare and score on.")
@click.option("--metric", default="top1", show_default=True, help="How labels are scored.")
@click.option(
    "--labels/--no-labels",
    default=True,
    help="Whether class folders and an .npz's labels are those of the file.",
)
@click.option(
    "--condition/--no-condition",
    default=True,
    show_default=True,
    help="Round and correct the file for int8 before it is converted.",
)
@click.option("--max-drop", type=FiniteFloat(min=0), help="Points of the metric int8 may lose.")
@click.option(
    "--allow-drop", is_flag=True, help="Keep a file that loses too much; its manifest says so."
)
@click.option(
    "-o", "--out", metavar="PATH", default="build", show_default=True,
    help="Gets <name>/<target>-<precision>.",
)  # fmt: skip
@click.option("--name", help="Name in --out; by default the file's.")
@click.option(
    "--metadata/--no-metadata",
    default=True,
    show_default=True,
    help="Labels, normalisation and licence inside the files, too: about 1 kB and the labels.",
)
@click.option("--force", is_flag=True, help="Convert again even if nothing changed.")
@output.common_options
def command(
    file: Path,
    precisions: tuple[str, ...],
    layout: str | None,
    input_range: str | None,
    mean: str | None,
    std: str | None,
    input_shape: str | None,
    samples: int | None,
    out: str,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> None:
    """Quantize FILE, a float .onnx or .tflite, and prove the result.

    What somebody else made gets the same care as a Keras model: batch norms folded, kernels
    rounded, biases corrected, outputs compared with the float file's in its own runtime.
    """
    from edgekit.quantization.files.description import Reading
    from edgekit.verbs.quantize import QuantizeRequest, quantize

    if not out:
        raise UsageError("--out is empty", hint="--out . means the folder you are in")
    reading = Reading(
        layout=layout.upper() if layout else None,
        limits=value_range(input_range) if input_range else None,
        mean=numbers("--mean", mean, float) if mean else (),
        std=numbers("--std", std, float) if std else (),
        input_shape=numbers("--input-shape", input_shape, int) if input_shape else None,
    )
    request = QuantizeRequest(
        file=file,
        precisions=precisions or ("int8",),
        reading=reading,
        evaluation_samples=samples,
        out=Path(out),
        **options,
    )
    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        result = quantize(request, report=report)
    if as_json:
        output.print_json(result.to_json())
    elif result.artifacts:
        _print_table(result)
    output.raise_failures(result.failures, len(result.artifacts))


def _print_table(result: Made) -> None:
    name = next((a.manifest.metric["name"] for a in result.artifacts if a.manifest.metric), None)
    rows = []
    for artifact in result.artifacts:
        parity = artifact.manifest.parity
        row = [str(artifact.path), output.megabytes(artifact.bytes)]
        if metric := artifact.manifest.metric:
            low, high = metric["drop_ci95"]
            row += [
                output.figure(metric, metric["reference"]),
                output.figure(metric, metric["value"]),
            ]
            row += [f"{metric['drop']:+.2f} [{low:+.2f}, {high:+.2f}]"]
        assert parity.snr_db is not None
        rows.append((*row, f"{parity.snr_db:.1f} dB", f"{parity.top1_agreement:.2%}"))
    measured = (f"{name} file", name, "drop [95 %]") if name else ()
    output.print_table("", ("artifact", "size", *measured, "signal", "same label"), rows)
    count = f"{len(rows)} artifact{'s' if len(rows) != 1 else ''}"
    for artifact in result.artifacts:
        if artifact.manifest.gate and not artifact.manifest.gate["met"]:
            click.echo(f"{artifact.label} misses its gate; --allow-drop kept it")
    click.echo(f"{count}, {'nothing changed' if result.cached else f'{result.seconds:.1f} s'}")
