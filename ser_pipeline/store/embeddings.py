"""Find the store of embeddings to learn from: it may hold more layers than are asked for."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ser_pipeline.encoders import known_encoder
from ser_pipeline.errors import SettingsError, StoreCorrupt, StoreMissing, some
from ser_pipeline.options import (
    KINDS,
    POOLINGS,
    Augmented,
    EmbeddingOptions,
    StoreOptions,
    WaveAugment,
    inputs_of,
    options_of,
)
from ser_pipeline.store.build import describe
from ser_pipeline.store.index import read_index
from ser_pipeline.store.mirror import local_cache
from ser_pipeline.store.read import Store, build_again
from ser_pipeline.store.status import outdated, settings_in_words, stores

Held = tuple[Path, StoreOptions, EmbeddingOptions]
"""Folder of a store, its options, and those of its encoder."""


def open_embeddings(
    cache: Path, asked: EmbeddingOptions, changes: WaveAugment | None = None, copies: int = 1
) -> Store:
    """Open the store of an encoder's layers, pooled or step by step as ``asked`` says.

    Args:
        cache: folder of all stores.
        asked: encoder, layers and poolings wanted; an encoder that is not named is the only one there is. How
            recordings were heard (crop, trim, precision) counts where there is a choice.
        changes: how variants are drawn, for a store of variants; None for recordings as they are.
        copies: variants wanted, for the message where there are none.

    Raises:
        StoreMissing: none fits, or more than one does; the message says what to run or to pass.
        StoreCorrupt: a shard cannot be read.
    """
    here = local_cache(cache)
    both = [*_held(here, changes)]
    every = [each for each in both if each[2].frames == asked.frames]
    held = _heard_alike([each for each in every if _is_asked(asked, each[2])], asked, cache)
    fitting = [each for each in held if _holds(each[2], asked)]
    current = [(folder, options) for folder, options, _ in fitting if not _old(folder)]
    if not current:
        if (
            not asked.encoder
            and len(only := {(each.encoder, each.folder) for *_, each in _held(here, None)}) == 1
        ):
            asked = asked.model_copy(update=dict(zip(("encoder", "folder"), *only, strict=True)))
        asked = asked.model_copy(update={"layers": _to_keep(asked, both)})
        raise StoreMissing(_what_to_do(cache, asked, changes, copies, fitting or held, every))
    indexes = {folder: read_index(folder) for folder, _ in current}
    folder, options = max(current, key=lambda each: indexes[each[0]].table.num_rows)
    if indexes[folder].damaged:
        raise StoreCorrupt(indexes[folder].damaged[0][1])
    return Store(folder, options, indexes[folder])


def folder_of_cached(cache: Path, asked: EmbeddingOptions) -> str | None:
    """The folder of an encoder whose layers are cached; None where there are none or several, or it is gone.

    Args:
        cache: folder of all stores.
        asked: names the encoder.
    """
    folders = {inputs.folder for *_, inputs in _held(local_cache(cache), None) if _is_asked(asked, inputs)}
    folder = folders.pop() if len(folders) == 1 else ""
    return folder if folder and Path(folder).is_dir() else None


def narrowed(store: Store, asked: EmbeddingOptions) -> EmbeddingOptions:
    """Options of a store's encoder, with the layers and poolings asked for, by default all."""
    own = inputs_of(store.options)
    if not isinstance(own, EmbeddingOptions):
        raise SettingsError(f"{store.folder}: holds {store.kind}, not embeddings")
    pooling = tuple(name for name in own.pooling if name in asked.pooling)
    return own.model_copy(update={"layers": asked.layers or own.layers, "pooling": pooling})


def _held(cache: Path, changes: WaveAugment | None) -> Iterator[Held]:
    """Stores of an encoder's layers, of recordings as they are or of variants drawn so."""
    for folder in stores(cache):
        described = describe(folder)
        if described is None or KINDS.get(described["kind"]) not in (EmbeddingOptions, Augmented):
            continue
        try:
            options = options_of(described)
        except SettingsError:  # of another version
            continue
        inputs = inputs_of(options)
        drawn = options.changes if isinstance(options, Augmented) else None
        if isinstance(inputs, EmbeddingOptions) and drawn == changes:
            yield folder, options, inputs


def _is_asked(asked: EmbeddingOptions, held: EmbeddingOptions) -> bool:
    """It is the encoder asked for: by its weights where they are known, else by name or folder."""
    if asked.weights:
        return held.weights == asked.weights
    places = {held.name, held.folder}
    return not asked.encoder or asked.name in places or str(Path(asked.encoder).resolve()) in places


def _heard(options: EmbeddingOptions) -> tuple[str, float | None, float | None, str]:
    return options.weights, options.crop_s, options.trim_db, options.precision


def _heard_alike(held: Sequence[Held], asked: EmbeddingOptions, cache: Path) -> list[Held]:
    """Stores of one encoder that heard recordings in one way."""
    ways = {_heard(inputs): folder for folder, _, inputs in held}
    if asked.weights:
        return [each for each in held if _heard(each[2]) == _heard(asked)]
    usual = [way for way in ways if way[1:] == _heard(asked)[1:]]
    chosen = usual if len(usual) == 1 else list(ways)
    if len(chosen) > 1:
        told = some([_words(ways[way]) for way in chosen])
        raise StoreMissing(f"{cache}: there are {asked.kind} of {told}; choose one with --encoder")
    return [each for each in held if _heard(each[2]) in chosen]


def _holds(held: EmbeddingOptions, asked: EmbeddingOptions) -> bool:
    return set(asked.layers) <= set(held.layers) and set(asked.pooling) <= set(held.pooling)


def _old(folder: Path) -> list[str]:
    described = describe(folder)
    return [] if described is None else outdated(described)


def _words(folder: Path) -> str:
    described = describe(folder)
    return "unknown" if described is None else settings_in_words(described)


def _to_keep(asked: EmbeddingOptions, held: Sequence[Held]) -> tuple[int, ...]:
    """Layers to name in the command that keeps them: where steps are kept, it needs some."""
    if asked.layers or not asked.frames:
        return asked.layers
    known = known_encoder(asked.name)
    depths = [inputs.depth for _, _, inputs in held if _is_asked(asked, inputs)]
    depth = known.layers if known else max(depths, default=3)
    return EmbeddingOptions(depth=depth, layers=tuple(range(depth + 1))).middle


def _what_to_do(
    cache: Path,
    asked: EmbeddingOptions,
    changes: WaveAugment | None,
    copies: int,
    held: Sequence[Held],
    every: Sequence[Held],
) -> str:
    kept = asked.model_copy(update={"pooling": POOLINGS})
    wanted: StoreOptions = kept if changes is None else Augmented(inputs=kept, changes=changes)
    what = asked.kind if changes is None else f"variants of {asked.kind} of {asked.name} with these changes"
    for folder, options, inputs in held:
        old = _old(folder)
        if old and _holds(inputs, asked):
            return f"{folder}: outdated: {'; '.join(old)}; run '{build_again(folder, options, copies)}'"
        layers = sorted(set(asked.layers) - set(inputs.layers))
        if layers and layers[-1] > inputs.depth > 0:
            return (
                f"{folder}: holds {_words(folder)}, whose layers are 0 to {inputs.depth}; there is no layer "
                f"{layers[-1]}, so name others with --layers"
            )
        lacks = f"layer {layers[0]}" if layers else "every requested pooling"
        more = inputs.model_copy(update={"layers": kept.layers, "pooling": kept.pooling})
        again = more if changes is None else Augmented(inputs=more, changes=changes)
        return f"{folder}: holds {_words(folder)}, not {lacks}; run '{build_again(folder, again, copies)}'"
    there = f"; there are those of {some([_words(folder) for folder, _, _ in every])}" if every else ""
    of = f" of {asked.name}" if asked.encoder and changes is None else ""
    command = build_again(cache / wanted.kind / "new", wanted, copies)
    return f"{cache}: no {what}{of}{there}; run '{command}'"
