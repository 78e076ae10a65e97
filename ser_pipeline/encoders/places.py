"""Encoders that are known by name, and where on this machine an encoder lies.

Nothing here imports torch or transformers, and nothing but :func:`download` uses the network.
"""

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ser_pipeline.errors import EncoderError, some

EXTRA: Final = "pip install 'ser-pipeline[encoders]'"

WANTED_FILES: Final = (
    "config.json",
    "preprocessor_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*-of-*.safetensors",
)
"""All that is ever fetched or read: no pickle, no code."""


@dataclass(frozen=True, slots=True)
class KnownEncoder:
    """An encoder known by name.

    Attributes:
        name: as in ``--encoder NAME``.
        hub_id: repository on the Hugging Face hub.
        revision: of the repository; a commit where the main branch has no safetensors.
        download_mb: size of what is fetched, in megabytes.
        parameters_m: of the encoder alone, in millions.
        layers: that it has.
        licence: of the weights.
        languages: of its training data, in words.
        meant_for: ``laptop`` or ``GPU``.
    """

    name: str
    hub_id: str
    revision: str
    download_mb: int
    parameters_m: int
    layers: int
    licence: str
    languages: str
    meant_for: str


KNOWN: Final[tuple[KnownEncoder, ...]] = (
    KnownEncoder("whisper-tiny.en", "openai/whisper-tiny.en", "main", 151, 8, 4, "MIT", "English", "laptop"),
    KnownEncoder("whisper-base", "openai/whisper-base", "main", 290, 21, 6, "MIT", "99 languages", "laptop"),
    KnownEncoder("whisper-small", "openai/whisper-small", "main", 967, 88, 12, "MIT", "99 languages", "GPU"),
    KnownEncoder(
        "whisper-large-v3", "openai/whisper-large-v3", "main", 3090, 637, 32, "MIT", "100 languages", "GPU"
    ),
    KnownEncoder(
        "wavlm-large",
        "microsoft/wavlm-large",
        "e4e472c491084b2c6fb9736099130aa805159c62",
        1260,
        315,
        24,
        "CC BY-SA 3.0",
        "English",
        "GPU",
    ),
    KnownEncoder(
        "w2v-bert-2.0", "facebook/w2v-bert-2.0", "main", 2320, 580, 24, "MIT", "143 languages", "GPU"
    ),
)


@dataclass(frozen=True, slots=True)
class Found:
    """An encoder on this machine.

    Attributes:
        name: of the encoder.
        folder: that holds it.
    """

    name: str
    folder: Path


def known_encoder(name: str) -> KnownEncoder | None:
    """The encoder of that name or hub id; None where it is not a known one.

    Examples:
        >>> known_encoder("openai/whisper-base").name
        'whisper-base'
    """
    return next((known for known in KNOWN if name in (known.name, known.hub_id)), None)


def encoder_folders(given: Path | None = None) -> tuple[Path, ...]:
    """Folders of encoders to look into: ``given``, then those of ``SER_ENCODERS``."""
    named = os.environ.get("SER_ENCODERS", "").split(os.pathsep)
    return tuple(([given] if given else []) + [Path(os.path.expanduser(name)) for name in named if name])


def locate(encoder: str, folders: Sequence[Path] = ()) -> Found:
    """Find an encoder on this machine; uses no network.

    Args:
        encoder: a folder, a known encoder's name, or a hub id such as ``openai/whisper-base``.
        folders: folders that hold encoders, each in a folder of its name; the hub's cache comes after them,
            but before them for a hub id of no known encoder, as a folder's name does not say whose it is.

    Raises:
        EncoderError: it is not here, or of several organisations; says how to get it.
    """
    here = Path(os.path.expanduser(encoder))
    if encoder and here.is_dir():
        folder = here.resolve()
        return Found(_name_of(folder), folder)
    known = known_encoder(encoder)
    name = known.name if known else encoder.rpartition("/")[2]
    named = [folder / name for folder in folders if name and (folder / name / "config.json").is_file()]
    hub_id, revision = (known.hub_id, known.revision) if known else (encoder, "main")
    cached = _snapshots(hub_id, revision)
    if "/" in encoder and known is None:
        found = [*cached, *([] if known_encoder(name) else named)]
    else:
        found = [*named, *cached]
    if not found:
        raise EncoderError(_how_to_get(encoder, known, folders))
    if len(cached) > 1 and not named:
        owners = some(
            [each.parent.parent.name.removeprefix("models--").replace("--", "/") for each in cached]
        )
        raise EncoderError(
            f"encoder '{encoder}': the hub's cache holds several ({owners}); name one by its hub id, or put "
            f"it, or a link to it, as {name} into a folder of SER_ENCODERS"
        )
    return Found(name, found[0].resolve())


def asked_as(name: str, folder: str) -> str:
    """What to type after ``--encoder`` to get the one in ``folder``: its name where that finds it.

    Examples:
        >>> asked_as("whisper-base", "")
        'whisper-base'
    """
    try:
        found = str(locate(name, encoder_folders()).folder) if folder else ""
    except EncoderError:
        return folder
    return name if found == folder else folder


def _how_to_get(encoder: str, known: KnownEncoder | None, folders: Sequence[Path]) -> str:
    looked = (
        some([str(folder) for folder in folders]) if folders else "no folder of --encoders or SER_ENCODERS"
    )
    if "," in encoder:
        return f"encoder '{encoder}': names several; name one, and give the command once for each"
    where = f"encoder '{encoder}': not on this machine ({looked}, nor the hub's cache)"
    if known is not None:
        return (
            f"{where}; 'ser cache embeddings --encoder {known.name} --download' fetches it "
            f"({known.download_mb} MB, {known.licence}), or name its folder"
        )
    if theirs := known_encoder(encoder.rpartition("/")[2]):
        where += f"; a folder {theirs.name} is taken for {theirs.hub_id}"
    if encoder.count("/") == 1 and not encoder.startswith((".", "/", "~")):
        return (
            f"{where}; 'ser cache embeddings --encoder {encoder} --download' fetches it, or name its folder"
        )
    names = ", ".join(each.name for each in KNOWN)
    return f"{where}; name a folder, a hub id such as openai/whisper-base, or one of {names}"


def _name_of(folder: Path) -> str:
    """Name of an encoder by its folder; one of the hub's cache is named by its repository."""
    repository = folder.parent.parent.name
    if folder.parent.name == "snapshots" and repository.startswith("models--"):
        return repository.rpartition("--")[2]
    return folder.name


def hub_cache() -> Path:
    """Folder of the hub's cache, as huggingface_hub finds it; without a home, ``~`` stays what it is."""
    for variable, below in (("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", ""), ("HF_HOME", "hub")):
        if os.environ.get(variable):
            return Path(os.path.expanduser(os.environ[variable])) / below
    return Path(os.path.expanduser(os.environ.get("XDG_CACHE_HOME", "~/.cache"))) / "huggingface" / "hub"


def _snapshots(hub_id: str, revision: str) -> list[Path]:
    """Folders of a downloaded repository, at most one; of a name alone, those of any organisation."""
    pattern = f"models--{glob.escape(hub_id.replace('/', '--'))}"
    if "/" not in hub_id:
        pattern = pattern.replace("models--", "models--*--", 1)
    found = []
    for repository in sorted(hub_cache().glob(pattern)):
        try:
            commit = (repository / "refs" / revision).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            commit = revision  # a commit is its own name
        folder = repository / "snapshots" / commit
        found += [folder] if (folder / "config.json").is_file() else []
    return found


def download(encoder: str) -> Found:
    """Fetch an encoder from the Hugging Face hub into its cache: safetensors and settings, nothing else.

    Args:
        encoder: a known encoder's name or a hub id.

    Raises:
        EncoderError: the extra is not installed, there is no such repository, or it has no safetensors.
    """
    known = known_encoder(encoder)
    hub_id, revision = (known.hub_id, known.revision) if known else (encoder, "main")
    if hub_id.count("/") != 1:
        raise EncoderError(f"--download {encoder}: is not a hub id, such as openai/whisper-base")
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HTTPError
    except ImportError:
        raise EncoderError(f"--download needs huggingface_hub, which is not installed: {EXTRA}") from None
    try:
        folder = snapshot_download(hub_id, revision=revision, allow_patterns=list(WANTED_FILES))
    except (HTTPError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()
        raise EncoderError(
            f"{hub_id}: cannot be fetched: {reason[0] if reason else type(error).__name__}"
        ) from None
    return Found(known.name if known else hub_id.rpartition("/")[2], Path(folder).resolve())
