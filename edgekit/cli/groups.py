"""Groups of commands that do something sensible without one being named."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import click

from edgekit.cli import names

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class ListingGroup(click.Group):
    """`edgekit history` is `edgekit history list`, and so with options.

    Attributes:
        showing: The command that a word goes to which is no command's name; None refuses it.
    """

    showing: ClassVar[str | None] = None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing and not args:
            pass  # a shell asks what could come
        elif not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        elif self.showing and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [self.showing, *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            raise names.unknown("command", args[0], self.commands, ctx.command_path)
        return super().resolve_command(ctx, args)


class DeviceGroup(ListingGroup):
    """`edgekit devices NAME` is `edgekit devices show NAME`."""

    showing = "show"

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = super().shell_complete(ctx, incomplete)
        known = names.complete_devices(ctx, click.Argument(["device"]), incomplete)
        return [*found, *(one for one in known if one.type == "plain" or not found)]
