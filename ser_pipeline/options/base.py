"""What all options share: frozen, strict about names, each with its own description.

An option is written once, as a field of a class of :class:`Options`: its type says which values are
valid, :func:`option` what it means. Flags, their help, the settings file, the presets and
``docs/options.md`` are made from that (see ``settings.py``).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationInfo,
    field_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

T = TypeVar("T")

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
OFF = BeforeValidator(lambda value: None if value is False or value == "none" else value)
"""``false`` in a settings file, or ``none`` in a flag, switches an option off; neither knows None."""
LIST = BeforeValidator(
    lambda value: tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value
)
"""A list may be written in one line, as a flag does: ``emodb,nemo``."""

PLACE = BeforeValidator(lambda value: os.fspath(value) if isinstance(value, os.PathLike) else value)
"""A folder may be given as a path, or as an object that has one, such as a run."""


def in_order(names: Sequence[str]) -> AfterValidator:
    """A list has its names in the order of ``names``, each once."""
    return AfterValidator(lambda given: tuple(name for name in names if name in given))


ANY_MODEL: Final[tuple[str, ...]] = ()
DECLARED: Final = ("declared",)
"""Needed of a model by options that each model declares for itself (see ``registry.py``)."""
BY_EPOCHS: Final = ("epochs",)
"""Needed of a model by options of how networks are fitted."""
OF_MELS: Final = ("mels",)
OF_FEATURES: Final = ("features",)
OF_EMBEDDINGS: Final = ("embeddings",)
OF_VECTORS: Final = ("vectors",)
"""Needed of a model by options of models that learn from vectors, that is from features or embeddings."""
OF_POOLED: Final = ("embeddings", "pooled")
"""Needed of a model by options of models that learn from layers of an encoder as vectors."""
OF_WAVES: Final = ("waves",)
"""Needed of a model by options of how an encoder is trained that is a part of it."""
MELS_BY_EPOCHS: Final = ("mels", "epochs")

DATA, MODEL, TRAINING, LOSS = "Data", "Model", "Training (networks)", "Loss (networks)"
DISTILLATION: Final = "Distillation (networks)"
AUGMENTATION, RUN = "Augmentation", "Run"
FRONT_END, FEATURES = "Front end (models on mels)", "Features (models on features)"
EMBEDDINGS: Final = "Encoder (models on embeddings)"
PANELS: Final = (
    DATA, MODEL, TRAINING, LOSS, DISTILLATION, AUGMENTATION, RUN, FRONT_END, FEATURES, EMBEDDINGS,
)  # fmt: skip
"""Headings that options stand under, in the order in which the help and the docs show them."""

UNSET: Final = "unset"


class Options(BaseModel):
    """Base of all options: frozen, strict about names, and all numbers finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch(cls, value: Any, info: ValidationInfo) -> Any:
        """``true`` is not the number 1, nor ``false`` 0."""
        if any(isinstance(each, bool) for each in (value if isinstance(value, list | tuple) else [value])):
            field = cls.model_fields[info.field_name or ""]
            types = _types(field.annotation)
            if types & {int, float} and bool not in types and (value or OFF not in field.metadata):
                raise PydanticCustomError("float_type", "Input should be a number")
        return value

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Only what differs from the defaults."""
        for name, value in super().__repr_args__():
            field = type(self).model_fields.get(name or "")
            if field is None or value != field.get_default(call_default_factory=True):
                yield name, value


def _types(annotation: Any) -> frozenset[Any]:
    """What a type is made of: an optional number of a number and None."""
    parts = get_args(annotation)
    if get_origin(annotation) is Annotated:
        parts = parts[:1]
    return frozenset().union(*map(_types, parts)) if parts else frozenset({annotation})


@dataclass(frozen=True)
class OneOf:
    """A text that is one of the names of a table, such as those of models.

    Attributes:
        table: name -> anything.
    """

    table: Mapping[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Valid are the names."""
        return core_schema.literal_schema(list(self.table))


def option(
    default: T,
    description: str,
    *,
    flag: str | None = None,
    off: str = "",
    many: bool = False,
    panel: str = "",
    needs: tuple[str, ...] | None = None,
    on_mels: Any = UNSET,
    paper: Any = UNSET,
    paper_features: Any = UNSET,
) -> T:
    """A field of a class of options, with all that is said of it anywhere.

    Args:
        default: value where nothing else is said, and in files written before there was the option.
        description: whole sentences, as the help of its flag and the docs show them.
        flag: name of its flag without dashes, where that is not its own; an upper-case name is that of an
            argument; "" leaves the option, or all that it holds, to the settings file.
        off: name of a second flag, which takes no value and switches the option off.
        many: whether the text may hold several values with commas between them.
        panel: heading it stands under in the help; "" takes that of the class it belongs to.
        needs: what a model must have for the option to change anything; None takes that of the class it
            belongs to.
        on_mels: value in preset ``default`` for networks that learn from mels.
        paper: value in preset ``paper``.
        paper_features: value in preset ``paper`` for models that learn from features.

    Returns:
        What pydantic takes as the field's default.
    """
    presets = {"on_mels": on_mels, "paper": paper, "paper_features": paper_features}
    known: dict[str, Any] = {
        "flag": flag,
        "off": off,
        "many": many,
        "panel": panel,
        "needs": None if needs is None else list(needs),
        "presets": {name: value for name, value in presets.items() if value != UNSET},
    }
    made: T = Field(default, description=description, json_schema_extra=known)
    return made
