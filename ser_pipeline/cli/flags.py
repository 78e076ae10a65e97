"""Flags made from options: a command's flags, their help and defaults come from the fields themselves.

A command takes what it was given as one object, :class:`Given`, from which a reader can follow an option
to the line that uses it: ``--own-scale`` is ``model.own_scale`` of the recipe, and nothing in between.
The options are imported when a command's flags are looked at, so that ``ser --help`` stays instant.
"""

import inspect
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand
from typer.main import get_command

if TYPE_CHECKING:
    from ser_pipeline.options import Options, Recipe, Setting

O = TypeVar("O", bound="Options")  # noqa: E741
F = TypeVar("F", bound=Callable[..., None])

_GIVEN = "ser_pipeline.given"


@dataclass(frozen=True)
class Given:
    """What a command was told about options.

    Attributes:
        values: path of an option -> value as it was typed: a text, or True or False for a switch.
        settings: path -> what is known of the option.
        command: the command line, as it can be typed again.
    """

    values: Mapping[str, str | bool]
    settings: "Mapping[str, Setting]"
    command: str = ""

    def __bool__(self) -> bool:
        """Whether anything was given."""
        return bool(self.values)

    def flag(self, path: str) -> str:
        """The flag that gave an option, as it was typed."""
        known = self.settings.get(path)
        if known is None:
            return path
        if known.off and self.values.get(path) is False:
            return f"--{known.off}"
        return f"--no-{known.flag}" if self.values.get(path) is False else known.spoken

    def nested(self) -> dict[str, Any]:
        """Sections -> fields -> values; a switch of what has settings of its own is a table of no changes."""
        found: dict[str, Any] = {}
        for path, value in self.values.items():
            *sections, name = path.split(".")
            inner = found
            for section in sections:
                inner = inner.setdefault(section, {})
            inner[name] = {} if value is True and self.settings[path].has_own else value
        return found

    def recipe(self) -> "Recipe":
        """The recipe these flags make of the settings file.

        Raises:
            SettingsError: a value that does not fit, or a flag that would do nothing.
            LabelError: a task that does not exist.
        """
        from ser_pipeline.api.places import SETTINGS_FILE
        from ser_pipeline.labels import task_named
        from ser_pipeline.options import configured, own_tasks

        changes = self.nested()
        if changes.keys() & {"embeddings", "layers"}:
            changes.setdefault("on", "embeddings")
        made = configured(SETTINGS_FILE, changes.pop("preset", None), spoken=self.flag, **changes)
        self.refuse_idle(made)
        if made.task != "all":
            task_named(made.task, own_tasks(SETTINGS_FILE))
        return made

    def refuse_idle(self, made: "Recipe") -> None:
        """Refuse flags that say nothing about the model, loss or features chosen.

        Raises:
            SettingsError: names the first of them.
        """
        from ser_pipeline.errors import SettingsError
        from ser_pipeline.options import idle

        for path in self.values:
            if about := idle(path, made):
                raise SettingsError(f"{self.flag(path)}: says nothing about {about}; leave it out")

    def options(self, kind: "type[O]", **usual: Any) -> "O":
        """Options of a class that has no sections.

        Args:
            kind: the class.
            **usual: other values than its defaults for what was not given.

        Raises:
            SettingsError: a value that does not fit.
        """
        from ser_pipeline.options import checked

        return checked(kind, usual | self.nested(), where=kind.__name__, spoken=self.flag)


class OptionCommand(TyperCommand):
    """A command that makes its flags of options when they are first looked at."""

    made_from: Callable[[], "Iterable[Setting]"]

    @cached_property
    def _settings(self) -> "dict[str, Setting]":
        from ser_pipeline.options import with_flags

        return {_key(setting): setting for setting in with_flags(type(self).made_from())}

    @cached_property
    def _flags(self) -> list[Any]:
        def parameters(**values: Any) -> None:
            """Holds the flags."""

        shown = [(key, _annotation(setting)) for key, setting in self._settings.items()]
        shown += [(f"{key}__off", _off(found)) for key, found in self._settings.items() if found.off]
        parameters.__annotations__ = dict(shown)
        vars(parameters)["__signature__"] = inspect.Signature(
            [
                inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
                for key, annotation in shown
            ]
        )
        holder = typer.Typer(add_completion=False)
        holder.command()(parameters)
        return list(get_command(holder).params)

    def get_params(self, ctx: Any) -> list[Any]:
        """Arguments, flags of options, the command's own flags, and --help."""
        own = super().get_params(ctx)
        arguments = [each for each in own if each.param_type_name == "argument"]
        return [*arguments, *self._flags, *(each for each in own if each not in arguments)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line; what it says of options becomes one object."""
        command = shlex.join([*ctx.command_path.split(), *args])
        rest = super().parse_args(ctx, args)
        values: dict[str, str | bool] = {}
        for key, setting in self._settings.items():
            value = ctx.params.pop(key)
            off = ctx.params.pop(f"{key}__off") if setting.off else None
            if value is not None or off:
                values[setting.path] = value if value is not None else False
        settings = {setting.path: setting for setting in self._settings.values()}
        ctx.meta[_GIVEN] = Given(values, settings, command)
        return rest


def option_command(
    app: typer.Typer, made_from: Callable[[], "Iterable[Setting]"], name: str | None = None
) -> Callable[[F], F]:
    """Register a command whose flags are made of options; it takes them as its parameter ``given``.

    Args:
        app: to register it with.
        made_from: the options, called when the flags are first looked at.
        name: of the command; None takes the function's.
    """

    def register(function: F) -> F:
        @wraps(function)
        def called(*, given: typer.Context, **values: Any) -> None:
            function(given=given.meta[_GIVEN], **values)

        shown = inspect.signature(function)
        asked = [
            each.replace(annotation=typer.Context) if each.name == "given" else each
            for each in shown.parameters.values()
        ]
        vars(called)["__signature__"] = shown.replace(parameters=asked)
        called.__annotations__ = function.__annotations__ | {"given": typer.Context}
        kind = type("Command", (OptionCommand,), {"made_from": staticmethod(made_from)})
        app.command(name, cls=kind)(called)
        return function

    return register


def options_of_recipe(*sections: str) -> "Callable[[], list[Setting]]":
    """Options of a recipe, for :func:`option_command`.

    Args:
        *sections: of the recipe, or names of its own fields; none for all that training reads.
    """

    def found() -> "list[Setting]":
        from ser_pipeline.options import CACHED_ONLY, Recipe, settings_of

        every = settings_of(Recipe)
        if not sections:
            return [each for each in every if each.path not in CACHED_ONLY]
        return [each for each in every if {each.section, each.path} & {*sections}]

    return found


def options_of_prediction() -> "tuple[Setting, ...]":
    """Options of ``ser predict`` and ``ser listen``."""
    from ser_pipeline.options import PredictOptions, settings_of

    return settings_of(PredictOptions)


def options_of_server() -> "tuple[Setting, ...]":
    """Options of ``ser demo``."""
    from ser_pipeline.options import Limits, settings_of

    return settings_of(Limits)


def _key(setting: "Setting") -> str:
    return setting.path.replace(".", "__")


def _annotation(setting: "Setting") -> Any:
    """Type and help of a flag, as Typer reads them."""
    about: dict[str, Any] = {
        "help": help_text(setting),
        "show_default": setting.defaults,
        "rich_help_panel": setting.panel,
    }
    if setting.flag.isupper():
        return Annotated[str | None, typer.Argument(metavar=setting.flag, **about)]
    if setting.is_switch:
        return Annotated[bool | None, typer.Option(f"--{setting.flag}/--no-{setting.flag}", **about)]
    return Annotated[str | None, typer.Option(f"--{setting.flag}", metavar=setting.metavar, **about)]


def _off(setting: "Setting") -> Any:
    about: dict[str, Any] = {"help": f"The same as --{setting.flag} none.", "rich_help_panel": setting.panel}
    return Annotated[bool | None, typer.Option(f"--{setting.off}", show_default=False, **about)]


def help_text(setting: "Setting") -> str:
    """What a flag means, what is valid, and for which models, where its heading does not say so."""
    parts = [setting.description]
    if any(choice not in setting.description for choice in setting.choices):
        parts.append(f"One of {', '.join(setting.choices)}.")
    if setting.limits:
        parts.append(f"{setting.limits[0].upper()}{setting.limits[1:]}.")
    heading = setting.panel.partition("(")[2].rstrip(")") or "all models"
    if setting.audience != heading:
        parts.append(f"For {setting.audience}.")
    return " ".join(parts)
