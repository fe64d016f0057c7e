"""`edgekit update`."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli import output


@click.group("update")
def command() -> None:
    """Bring a bundle to its next version by what changed."""


@command.command("make")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="A .zip.")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    help="Public key (PEM) that both bundles must have been signed with.",
)
@output.common_options
def make_command(
    *, old: Path, new: Path, out: Path, key: Path | None, as_json: bool, quiet: bool, verbose: bool
) -> None:
    """Write the delta that leads from the bundle OLD to NEW.

    Both are verified first. Files that did not change are taken from the bundle that a device has;
    of the others the delta holds the smaller of the file itself and steps to it from the old one.
    """
    from edgekit.verbs.update import made_json, make_delta, told

    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        made = make_delta(old, new, out, key=key, report=report)
    if as_json:
        output.print_json(made_json(made))
        return
    index = made.index
    ways = told(index)["files"]
    output.print_facts(
        f"{index.name} {index.old.version} to {index.new.version} for {index.platform}",
        {
            "file": str(made.file),
            "size": f"{made.bytes:,} bytes; the whole bundle has {made.whole_bytes:,}",
            "files": f"{ways['kept']} kept, {ways['steps']} as steps, {ways['whole']} whole",
            "next": f"edgekit update apply {made.file} BUNDLE",
        },
    )


@command.command("apply")
@click.argument("delta", type=click.Path(path_type=Path))
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    help="Public key (PEM) of whoever must have signed the new version.",
)
@click.option(
    "--keep-old",
    "keep",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep the old version there.",
)
@click.option("--allow-older", "older", is_flag=True, help="Also to a version that is not newer.")
@output.common_options
def apply_command(
    *,
    delta: Path,
    bundle: Path,
    key: Path | None,
    keep: Path | None,
    older: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Replace BUNDLE, a folder, by the version that DELTA leads to.

    The new version is made beside the old one, verified file by file, and only then takes its
    place, at once. Whatever goes wrong before leaves the old one as it was. Without --key the
    digests alone are checked, which anybody can have made.
    """
    from edgekit.verbs.update import apply_delta, updated_json

    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        done = apply_delta(delta, bundle, key=key, keep=keep, older=older, report=report)
    if as_json:
        output.print_json(updated_json(done))
        return
    verified = done.verified
    facts = {
        "bundle": f"{verified.contents.name} {verified.contents.version} for "
        f"{verified.contents.platform}",
        "before": done.before,
        "files": f"{len(verified.contents.files)}",
        "signed": verified.trust,
    }
    if done.kept is not None:
        facts["old one"] = str(done.kept)
    output.print_facts(f"{bundle}: updated", facts)
