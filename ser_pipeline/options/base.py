"""What all options share: frozen, strict about names, errors of one line."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ser_pipeline.errors import SettingsError

T = TypeVar("T", bound=BaseModel)

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
OFF = BeforeValidator(lambda value: None if value is False else value)
"""``false`` in a settings file, which knows no None, switches an option off."""


class Options(BaseModel):
    """Base of all options: frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Only what differs from the defaults."""
        for name, value in super().__repr_args__():
            field = type(self).model_fields.get(name or "")
            if field is None or value != field.get_default(call_default_factory=True):
                yield name, value


def checked(kind: type[T], values: Mapping[str, Any], *, where: str) -> T:
    """Build options from plain values, with one-line errors that name the field.

    Raises:
        SettingsError: a name or value that does not fit.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or kind.__name__
        raise SettingsError(f"{where}: {place}: {first['msg']} (found {first['input']!r})") from None


def chosen_device(wanted: str, there: Mapping[str, bool]) -> str:
    """Turn ``auto`` into the best device there is.

    Args:
        wanted: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        there: which devices this machine has, the best one first.

    Raises:
        SettingsError: the device is not there.

    Examples:
        >>> chosen_device("auto", {"cuda": False, "cpu": True})
        'cpu'
    """
    if wanted == "auto":
        return next(name for name, present in there.items() if present)
    if not there.get(wanted, False):
        have = ", ".join(name for name, present in there.items() if present)
        raise SettingsError(f"device '{wanted}' is not there; this machine has {have}")
    return wanted
