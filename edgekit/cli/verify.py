"""`edgekit verify`."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli import output
from edgekit.errors import UsageError


@click.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    help="Public key (PEM) of whoever signed it.",
)
@click.option(
    "--identity", help="Who signed it by Sigstore: an e-mail address, or a workflow's URL."
)
@click.option("--issuer", metavar="URL", help="Who vouches for that identity.")
@output.common_options
def command(
    *,
    bundle: Path,
    key: Path | None,
    identity: str | None,
    issuer: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Refuse a BUNDLE in which anything was changed.

    Every file is compared with the bundle's list; with --key the list itself was signed by the
    owner of that key. Without one the digests alone are checked, which anybody can have made.
    Exit status 1 if anything differs.
    """
    from edgekit.verbs.bundle import Identity, told, verify

    if bool(identity) != bool(issuer) or (key and identity):
        raise UsageError(
            "--identity and --issuer say together who signed it, in place of --key",
            hint="--identity me@example.org --issuer https://accounts.google.com",
        )
    signer = Identity(identity, issuer) if identity and issuer else key
    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        found = verify(bundle, key=signer, report=report)
    if as_json:
        output.print_json(told(found))
        return
    contents = found.contents
    output.print_facts(
        f"{bundle}: whole",
        {
            "bundle": f"{contents.name} {contents.version} for {contents.platform}",
            "files": f"{len(contents.files)}",
            "signed": found.trust,
        },
    )
