"""Published vocal profiles: where each emotion moves each acoustic property.

Directions only, no sizes: the sources measure other units, against other emotions. A direction is
recorded where at least one of the three states it; where they contradict each other it is
``mixed``, and a property that none of them names for an emotion is ``not stated``. Their hot
anger is read as our anger, elation and joy as happiness, panic fear and fear as fear.

Not every cell has been compared with the printed page; check a cell in its source before citing it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ser_pipeline.metrics.effect import Direction

BANSE: Final = "Banse & Scherer 1996"
"""doi:10.1037/0022-3514.70.3.614: its summary of what studies agree on."""

SCHERER: Final = "Scherer 2003"
"""doi:10.1016/S0167-6393(02)00084-5, table 2."""

JUSLIN: Final = "Juslin & Laukka 2003"
"""doi:10.1037/0033-2909.129.5.770, table 11."""

PROFILED: Final = ("anger", "happiness", "sadness", "fear", "disgust", "boredom")
"""Emotions that the sources have profiles of."""

SOURCES: Final = (BANSE, SCHERER, JUSLIN)


@dataclass(frozen=True, slots=True)
class Property:
    """Something acoustic that a profile is about.

    Attributes:
        name: in words.
        features: named features that stand for it -> 1 where they rise with it, -1 where they fall.
    """

    name: str
    features: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PublishedDirection:
    """What is published of one property in one emotion.

    Attributes:
        property: name of a :class:`Property`.
        emotion: one of :data:`PROFILED`.
        direction: of the property, against other speech of the same person.
        sources: some of :data:`SOURCES`.
    """

    property: str
    emotion: str
    direction: Direction
    sources: tuple[str, ...]


PROPERTIES: Final = (
    Property("mean pitch", {"pitch_st_mean": 1, "pitch_hz_p50": 1}),
    Property("pitch variability", {"pitch_hz_std": 1}),  # in Hz, as the sources measure it
    Property("pitch range", {"pitch_st_range": 1}),
    Property("pitch contour", {"pitch_trend": 1, "pitch_shift": 1}),
    Property("mean energy", {"level_mean": 1, "clip_level": 1}),
    Property("energy variability", {"level_std": 1}),
    Property("high-frequency energy", {"alpha_ratio_mean": 1, "hammarberg_mean": -1}),
    Property("speech rate", {"syllable_rate": 1}),
)

PUBLISHED: Final = (
    PublishedDirection("mean pitch", "anger", "up", SOURCES),
    PublishedDirection("mean pitch", "happiness", "up", SOURCES),
    PublishedDirection("mean pitch", "fear", "up", SOURCES),
    PublishedDirection("mean pitch", "sadness", "down", SOURCES),
    PublishedDirection("mean pitch", "disgust", "mixed", (BANSE,)),
    PublishedDirection("pitch variability", "anger", "up", SOURCES),
    PublishedDirection("pitch variability", "happiness", "up", SOURCES),
    PublishedDirection("pitch variability", "fear", "mixed", SOURCES),
    PublishedDirection("pitch variability", "sadness", "down", (SCHERER, JUSLIN)),
    PublishedDirection("pitch variability", "boredom", "down", (SCHERER,)),
    PublishedDirection("pitch range", "anger", "up", (BANSE, SCHERER)),
    PublishedDirection("pitch range", "happiness", "up", (BANSE, SCHERER)),
    PublishedDirection("pitch range", "fear", "mixed", SOURCES),
    PublishedDirection("pitch range", "sadness", "down", (BANSE, SCHERER)),
    PublishedDirection("pitch range", "boredom", "down", (SCHERER,)),
    PublishedDirection("pitch contour", "anger", "mixed", SOURCES),
    PublishedDirection("pitch contour", "happiness", "up", (JUSLIN,)),
    PublishedDirection("pitch contour", "fear", "up", (JUSLIN,)),
    PublishedDirection("pitch contour", "sadness", "down", SOURCES),
    PublishedDirection("mean energy", "anger", "up", SOURCES),
    PublishedDirection("mean energy", "happiness", "up", SOURCES),
    PublishedDirection("mean energy", "fear", "mixed", (SCHERER, JUSLIN)),
    PublishedDirection("mean energy", "sadness", "down", SOURCES),
    PublishedDirection("energy variability", "anger", "up", (JUSLIN,)),
    PublishedDirection("energy variability", "fear", "up", (JUSLIN,)),
    PublishedDirection("energy variability", "sadness", "down", (JUSLIN,)),
    PublishedDirection("high-frequency energy", "anger", "up", SOURCES),
    PublishedDirection("high-frequency energy", "happiness", "up", (BANSE, SCHERER)),
    PublishedDirection("high-frequency energy", "fear", "mixed", SOURCES),
    PublishedDirection("high-frequency energy", "sadness", "down", SOURCES),
    PublishedDirection("speech rate", "anger", "up", SOURCES),
    PublishedDirection("speech rate", "happiness", "up", SOURCES),
    PublishedDirection("speech rate", "fear", "up", SOURCES),
    PublishedDirection("speech rate", "sadness", "down", SOURCES),
    PublishedDirection("speech rate", "boredom", "down", (SCHERER,)),
)


def published(property_name: str, emotion: str) -> PublishedDirection:
    """What the sources say, ``not stated`` where they say nothing.

    Examples:
        >>> published("mean pitch", "sadness").direction, published("mean energy", "disgust").direction
        ('down', 'not stated')
    """
    for row in PUBLISHED:
        if (row.property, row.emotion) == (property_name, emotion):
            return row
    return PublishedDirection(property_name, emotion, "not stated", ())


def measured_properties(names: tuple[str, ...]) -> Iterator[tuple[Property, list[int], list[int]]]:
    """Properties that some of the features stand for, with the features' numbers and signs.

    Examples:
        >>> [(row.name, columns, signs) for row, columns, signs in measured_properties(("a", "level_std"))]
        [('energy variability', [1], [1])]
    """
    place = {name: number for number, name in enumerate(names)}
    for row in PROPERTIES:
        columns = [place[name] for name in row.features if name in place]
        if columns:
            yield row, columns, [row.features[names[column]] for column in columns]
