"""Frozen options, their presets, and ``ser.toml``.

Everything that changes a number is an option here, is passed to what needs it, and is
stored with what it made. Flags win over the file, the file over the defaults.
"""

from ser_pipeline.options.augment import AUGMENT_VERSION, Mixup, RandomCrop, RandomGain, WaveAugment
from ser_pipeline.options.base import Options, checked, chosen_device
from ser_pipeline.options.embeddings import EMBEDDINGS_VERSION, POOLINGS, EmbeddingOptions, layers_of
from ser_pipeline.options.features import (
    FEATURE_SETS,
    FEATURES_VERSION,
    LAG_MARGIN,
    FeatureOptions,
    FeatureSet,
    SmileOptions,
)
from ser_pipeline.options.front_end import FRONT_END_VERSION, FrontEnd
from ser_pipeline.options.recipe import (
    PRESETS,
    Normalise,
    Preset,
    Recipe,
    configured,
    merged,
    own_tasks,
    read_toml,
    recipe,
)
from ser_pipeline.options.stored import (
    KINDS,
    Augmented,
    InputOptions,
    StoreOptions,
    algorithm_version,
    feature_options,
    inputs_of,
    options_of,
)
from ser_pipeline.options.training import (
    CLASSIFIERS,
    FRAMES_PER_STEP,
    MODEL_INPUTS,
    ModelOptions,
    Pooling,
    SpecAugment,
    TrainOptions,
    applies,
)

__all__ = [
    "AUGMENT_VERSION",
    "CLASSIFIERS",
    "EMBEDDINGS_VERSION",
    "FEATURES_VERSION",
    "FEATURE_SETS",
    "FRAMES_PER_STEP",
    "FRONT_END_VERSION",
    "KINDS",
    "LAG_MARGIN",
    "MODEL_INPUTS",
    "POOLINGS",
    "PRESETS",
    "Augmented",
    "EmbeddingOptions",
    "FeatureOptions",
    "FeatureSet",
    "FrontEnd",
    "InputOptions",
    "Mixup",
    "ModelOptions",
    "Normalise",
    "Options",
    "Pooling",
    "Preset",
    "RandomCrop",
    "RandomGain",
    "Recipe",
    "SmileOptions",
    "SpecAugment",
    "StoreOptions",
    "TrainOptions",
    "WaveAugment",
    "algorithm_version",
    "applies",
    "checked",
    "chosen_device",
    "configured",
    "feature_options",
    "inputs_of",
    "layers_of",
    "merged",
    "options_of",
    "own_tasks",
    "read_toml",
    "recipe",
]
