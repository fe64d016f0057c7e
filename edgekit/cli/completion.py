"""`edgekit completion`."""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for a shell.

    \b
    bash:  edgekit completion bash >> ~/.bashrc
    zsh:   edgekit completion zsh >> ~/.zshrc
    fish:  edgekit completion fish > ~/.config/fish/completions/edgekit.fish
    """  # noqa: D301  \b is click's mark for a paragraph to leave as it is
    from click.shell_completion import get_completion_class

    from edgekit.cli import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "edgekit", "_EDGEKIT_COMPLETE").source())
