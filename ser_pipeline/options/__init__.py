"""Frozen options, their presets, and ``ser.toml``.

Everything that changes a number is an option here, is passed to what needs it, and is
stored with what it made. Flags win over the file, the file over the defaults.
"""

from ser_pipeline.options.augment import AUGMENT_VERSION, Mixup, RandomCrop, RandomGain, WaveAugment
from ser_pipeline.options.base import Options
from ser_pipeline.options.checks import checked
from ser_pipeline.options.effect import CACHED_ONLY, applies, deciding, flags_of, idle
from ser_pipeline.options.embeddings import (
    EMBEDDINGS_VERSION,
    POOLINGS,
    USUAL_ENCODER,
    EmbeddingOptions,
    Layers,
    WaveOptions,
    layers_in_words,
    layers_of,
)
from ser_pipeline.options.features import (
    FEATURES_VERSION,
    LAG_MARGIN,
    FeatureOptions,
    FeatureSet,
    SmileOptions,
)
from ser_pipeline.options.front_end import FRONT_END_VERSION, GATE_RATES, FrontEnd
from ser_pipeline.options.made import configured, merged, names_model, own_tasks, recipe
from ser_pipeline.options.recipe import PRESETS, Normalise, Preset, Recipe
from ser_pipeline.options.registry import ENSEMBLE, LOSSES, MODELS
from ser_pipeline.options.serving import Limits, PredictOptions, RequestOptions
from ser_pipeline.options.settings import Setting, settings_by_path, settings_of
from ser_pipeline.options.stored import (
    KINDS,
    Augmented,
    Fused,
    InputOptions,
    ModelInputs,
    StoreOptions,
    algorithm_version,
    feature_options,
    input_versions,
    inputs_of,
    mels_of,
    options_of,
    parts_of,
    sequence_of,
)
from ser_pipeline.options.training import BuiltFor, ModelOptions, Pooling, SpecAugment, TrainOptions

__all__ = [
    "AUGMENT_VERSION",
    "CACHED_ONLY",
    "EMBEDDINGS_VERSION",
    "ENSEMBLE",
    "FEATURES_VERSION",
    "FRONT_END_VERSION",
    "GATE_RATES",
    "KINDS",
    "LAG_MARGIN",
    "LOSSES",
    "MODELS",
    "POOLINGS",
    "PRESETS",
    "USUAL_ENCODER",
    "Augmented",
    "BuiltFor",
    "EmbeddingOptions",
    "FeatureOptions",
    "FeatureSet",
    "FrontEnd",
    "Fused",
    "InputOptions",
    "Layers",
    "Limits",
    "Mixup",
    "ModelInputs",
    "ModelOptions",
    "Normalise",
    "Options",
    "Pooling",
    "PredictOptions",
    "Preset",
    "RandomCrop",
    "RandomGain",
    "Recipe",
    "RequestOptions",
    "Setting",
    "SmileOptions",
    "SpecAugment",
    "StoreOptions",
    "TrainOptions",
    "WaveAugment",
    "WaveOptions",
    "algorithm_version",
    "applies",
    "checked",
    "configured",
    "deciding",
    "feature_options",
    "flags_of",
    "idle",
    "input_versions",
    "inputs_of",
    "layers_in_words",
    "layers_of",
    "mels_of",
    "merged",
    "names_model",
    "options_of",
    "own_tasks",
    "parts_of",
    "recipe",
    "sequence_of",
    "settings_by_path",
    "settings_of",
]
