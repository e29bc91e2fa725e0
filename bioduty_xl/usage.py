"""Commands, options and types that speak the language that was settled, when it is shown. They are
declared before any language is, and their help in Chinese.
"""

from __future__ import annotations

import copy
import functools
import gettext
from inspect import cleandoc
from typing import Any, Self

import click

from bioduty_xl.language import Said


class _Translated:
    """A click command or option; its help is a key of the catalogue."""

    help: str | None

    def _reworded(self) -> Self:
        shown = copy.copy(self)
        shown.help = Said(cleandoc(self.help), {}).translated() if self.help else None
        return shown


class Command(_Translated, click.Command):
    """A command."""

    def get_short_help_str(self, limit: int = 45) -> str:
        """Its line in the list of commands."""
        return click.Command.get_short_help_str(self._reworded(), limit)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What it does, in its own help."""
        click.Command.format_help_text(self._reworded(), ctx, formatter)


class Group(Command, click.Group):
    """A command that has others below it, of these same kinds."""

    command_class = Command
    group_class = type


class Option(_Translated, click.Option):
    """An option."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Its names, and what it is for."""
        return click.Option.get_help_record(self._reworded(), ctx)


class Path(click.Path):
    """A path. click asks what one is called, file or folder, when it is declared; here it is asked
    when it is said.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, or a refusal in the language that was settled."""
        told = copy.copy(self)
        told.name = gettext.gettext(self.name)
        return click.Path.convert(told, value, param, ctx)


command = functools.partial(click.command, cls=Command)
option = functools.partial(click.option, cls=Option)
