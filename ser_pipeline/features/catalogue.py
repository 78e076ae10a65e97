"""The 253 named features: the table the extractor follows and the documentation is made from."""

from collections.abc import Iterator
from dataclasses import dataclass

from ser_pipeline.features.definitions import SOUND_ROWS, VOICE_ROWS, Over, Series
from ser_pipeline.features.statistics import UNITLESS, WORDS

_FRAMES = {"all": "all frames", "speech": "speech frames", "voiced": "voiced frames"}

_HEAD = """# Named features

`ser cache features` writes {count} numbers for every recording, in the order of this page, beside the mels
and in the same kind of [store](store.md); `ser_pipeline.features.extract.extract` makes them of any mono
wave. This page is written by `ser_pipeline.features.catalogue.as_markdown()` from the table the extractor
itself follows.

    ser cache features --jobs 16
    ser cache features --pitch-ceiling-hz 600   # another search range is another store
    ser cache features --voice praat            # pitch, voice and formants by Praat (extra `praat`)
    ser cache features --set egemaps            # openSMILE's eGeMAPSv02, 88 numbers (extra `opensmile`)
    ser cache features --set compare            # openSMILE's ComParE 2016, 6,373 numbers

Song is searched up to another ceiling than speech, so a row belongs to a recording *and* to what it is said
to be: one that turns from speech into song in the manifest is computed again.

## How they are measured

- The wave is at 16 kHz, the lowest rate of the supported corpora, so that no feature tells a corpus by its
  bandwidth. The store cuts both ends where they are 30 dB below the loudest frame (`trim_db`), so that a long
  silence before the first word is no mark of a corpus. No noise is taken away and nothing is levelled: gain
  moves `rms_mean`, `rms_std` and the features in dBFS, and nothing else. The mean of the wave is taken away.
- Frames are Hann windows of three periods of the lowest pitch (46 ms at 65 Hz), one every 10 ms, wholly
  inside the wave. One Fourier transform of 1,024 points serves every feature, pitch and formants too.
- Spectral features and mel bands look at 50 Hz to 7 kHz only: below is rumble, and above recordings that were
  made at 16 kHz or brought to it fade out.
- **Speech frames** are at most 30 dB below the level that one frame in twenty exceeds; pauses thus do not
  describe the voice.
- **Voiced frames** have a pitch: 65 to 500 Hz in speech, up to 1,000 Hz in song.
- Powers are raised to 1e-10 (for a wave with a peak of 1) before a logarithm; the level of digital silence is
  -120 dBFS.

## Where there is nothing to measure

Every feature is a finite number for every wave that has samples.

- In a clip with no voiced frame all features over voiced frames, jitter and shimmer are 0, and
  `voiced_share` = 0 says so. The same holds for any other statistic that has nothing to be of, such as one of
  a formant that no frame has.
- In a silent or constant clip, which has no speech frame, statistics over speech frames are over all frames:
  levels are -120 dBFS, `duration` is what it is, and all else is 0.
- A clip too short for two beats has a `tempo` of 0, and one without pauses a `pause_mean` of 0.

## Agreement with Praat

Each feature is computed a second time in the tests: by librosa, SciPy, plain sums, or from what a made sound
is known to be. Beside these, `tests/features/test_real.py` compares with Praat 6.1 on real recordings (pitch
by its autocorrelation method over the same range, formants by Burg's method with five below 5.5 kHz).
Measured:

| | speech: every 25th clip of five corpora | song: every 12th of RAVDESS |
| --- | --- | --- |
| clips, frames that both call voiced | 62, 8,172 | 15, 3,212 |
| pitch, median distance | 1.0 cents | 0.7 cents |
| pitch, further than 20 % away | 0.56 % | 0.00 % |
| voicing decided otherwise | 1.9 % of frames | 0.9 % of frames |
| formants 1 to 4, median distance | 5, 13, 16, 22 Hz | 3, 6, 9, 10 Hz |
| bandwidths 1 to 4, median distance | 11, 24, 29, 41 Hz | 5, 11, 15, 16 Hz |

Over the 62 clips jitter, shimmer and the mean harmonics-to-noise ratio rank as Praat's do (Spearman 0.91 to
0.96) and are within 3 % of them in the median.
"""


@dataclass(frozen=True, slots=True)
class Feature:
    """One number of the feature vector.

    Attributes:
        name: unique, lower case.
        unit: "1" for a plain number.
        group: one of :data:`GROUPS`.
        definition: in words.
        source: publication or system the definition follows.
        series: what is measured, in every frame or once.
        over: the frames the statistic is of; ``clip`` where the series is measured once.
        statistic: what is taken of the series; empty where it is measured once.
    """

    name: str
    unit: str
    group: str
    definition: str
    source: str
    series: str
    over: Over
    statistic: str


def _unit(unit: str, statistic: str) -> str:
    if statistic in UNITLESS:
        return "1"
    return "dB" if unit == "dBFS" and statistic == "std" else unit  # a spread has no zero point


def _unfold() -> Iterator[Feature]:
    for row in (*SOUND_ROWS, *VOICE_ROWS):
        if not isinstance(row, Series):
            yield Feature(row.name, row.unit, row.group, row.definition, row.source, row.name, "clip", "")
            continue
        for statistic in row.statistics:
            yield Feature(
                name=f"{row.name}_{statistic}",
                unit=_unit(row.unit, statistic),
                group=row.group,
                definition=f"{WORDS[statistic]} over {_FRAMES[row.over]} of: {row.definition}",
                source=row.source,
                series=row.name,
                over=row.over,
                statistic=statistic,
            )


FEATURES: tuple[Feature, ...] = tuple(_unfold())
"""All features in the order of the vector."""

NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)

GROUPS: tuple[str, ...] = tuple(dict.fromkeys(feature.group for feature in FEATURES))
"""Groups in the order of the vector."""


def as_markdown() -> str:
    """The page ``docs/features.md``."""
    lines = [_HEAD.format(count=len(FEATURES)), "## Groups", "", "| group | features |", "| --- | --- |"]
    lines += [f"| {group} | {sum(row.group == group for row in FEATURES)} |" for group in GROUPS]
    for group in GROUPS:
        lines += ["", f"## {group}", "", "| name | unit | definition | source |"]
        lines.append("| --- | --- | --- | --- |")
        for row in FEATURES:
            if row.group == group:
                lines.append(f"| `{row.name}` | {row.unit} | {row.definition} | {row.source} |")
    return "\n".join(lines) + "\n"
