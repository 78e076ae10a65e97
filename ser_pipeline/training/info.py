"""What is written down of a run when it begins, and the check that it goes on as it began."""

import platform
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import torch

from ser_pipeline.datasets.run_data import RunData
from ser_pipeline.errors import RunError
from ser_pipeline.models.network import Network
from ser_pipeline.processes import chosen_device
from ser_pipeline.runs.files import read_info
from ser_pipeline.runs.learned import TeacherInfo
from ser_pipeline.runs.types import ALL_FOLDS, SETTINGS, RunInfo
from ser_pipeline.store.identity import version
from ser_pipeline.training.device import choose_precision

_LIBRARIES = ("ser-pipeline", "torch", "lightning", "scikit-learn", "numpy", "pyarrow", "h5py", "safetensors")


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that training uses."""
    return {name: version(name) for name in _LIBRARIES} | {"python": platform.python_version()}


def layer_parameters(network: Network) -> dict[str, int]:
    """Parameters that are fitted of each part of a network, by name, in the order of its definition."""
    return {
        name: sum(values.numel() for values in part.parameters() if values.requires_grad)
        for name, part in network.named_children()
    }


def describe(
    data: RunData, folder: Path, *, command: str, parameters: int, layers: Mapping[str, int] | None = None
) -> RunInfo:
    """Describe a run that begins, or goes on if the folder has been described before.

    Args:
        data: clips and recipe.
        folder: of the run.
        command: as typed; that of the first start stays.
        parameters: of the network.
        layers: parameters of each part of it; None where it has no parts.

    Raises:
        RunError: the folder's run began with other recordings, split, mels or classes.
    """
    before = read_info(folder) if (folder / SETTINGS).is_file() else None
    if before is not None:
        check_same(before, data, folder)
    device = chosen_device(data.recipe.train.device)
    by_epochs = data.recipe.model.architecture.by_epochs  # of the others, the precision is not a choice
    return RunInfo(
        name=folder.name,
        created=before.created if before else datetime.now().astimezone().isoformat(timespec="seconds"),
        command=before.command if before else command,
        model=data.recipe.model.name,
        recipe=data.recipe,
        emotions=data.task.emotions,
        merges=dict(data.task.merges),
        split=data.split,
        manifest_digest=data.manifest_digest,
        store_kind=data.store.kind,
        store_fingerprint=data.store.fingerprint,
        counts=data.counts(),
        class_counts=data.class_counts(),
        corpora=data.names("corpus"),
        train_corpora=_train_corpora(data),
        languages=data.names("language"),
        synthetic=data.synthetic or (before is not None and before.synthetic),
        parameters=parameters,
        layer_choice=data.choice,
        teacher=_teacher(data, before),
        versions=library_versions(),
        extra={
            "device": device,
            **({"precision": choose_precision(data.recipe.train, device)} if by_epochs else {}),
            "threads": torch.get_num_threads(),
            "failed_clips": len(data.failed),
            **({"layers": dict(layers)} if layers else {}),
            **({} if data.variants is None else {"variants": data.variants.store.fingerprint}),
        },
    )


def _train_corpora(data: RunData) -> tuple[str, ...]:
    """Corpora of the training clips, and of the recordings without a label."""
    found = set(data.examples.column("corpus")[data.rows("train")].tolist())
    if data.taught is not None:
        found |= set(data.taught.unlabelled.column("corpus").tolist())
    return tuple(sorted(found))


def _teacher(data: RunData, before: RunInfo | None) -> TeacherInfo | None:
    """Who teaches, or who taught a run that has nothing left to learn."""
    if data.taught is not None:
        return data.taught.info
    return None if before is None else before.teacher


def check_same(info: RunInfo, data: RunData, folder: Path) -> None:
    """Make sure that a run and the clips read for it belong together.

    Raises:
        RunError: recordings, split, fold, mels, classes or teacher are others than the run was trained on.
    """
    pairs = {
        "manifest": (info.manifest_digest, data.manifest_digest),
        f"split '{info.split.name}'": (info.split.digest, data.split.digest),
        "fold": (info.split.fold, ALL_FOLDS if info.split.fold == ALL_FOLDS else data.split.fold),
        "feature store": (info.store_fingerprint, data.store.fingerprint),
        "list of emotions": (info.emotions, data.task.emotions),
        "target": (info.recipe.target, data.task.dimensions),
    }
    if data.taught is not None and info.teacher is not None:
        told = data.taught.info
        pairs["teacher"] = (info.teacher.digest, told.digest)
        pairs["manifest without labels"] = (info.teacher.unlabelled_manifest, told.unlabelled_manifest)
    scores = "; for scores on other recordings see docs/evaluation.md"
    for what, (then, now) in pairs.items():
        if then != now:
            differs = _how_else(info, data) if what == "manifest" else ""
            raise RunError(
                f"{folder}: the {what} is not the one this run was trained on{differs}; "
                f"restore that {what}, or train a new run{scores if what == 'manifest' else ''}"
            )


def _how_else(info: RunInfo, data: RunData) -> str:
    """What the clips of a manifest tell about how it differs from that of a run, and what makes it again."""
    counts = data.counts()
    changed = [
        f"{info.counts.get(part, 0)} clips for {part} then and {counts.get(part, 0)} now"
        for part in sorted({*info.counts, *counts}, key=[*counts, *info.counts].index)
        if info.counts.get(part, 0) != counts.get(part, 0)
    ]
    differs = ", ".join(changed) or "as many clips, of which files or labels differ"
    return f" ({differs}; 'ser manifest build' with the recordings and options of that time makes it again)"
