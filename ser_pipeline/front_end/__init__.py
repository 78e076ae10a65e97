"""The one path from a recording to what a model sees.

The feature store, prediction, streaming and the demo all call
:func:`ser_pipeline.front_end.rows.row_of_wave`; there is no second front end anywhere. Nothing here
loads a decoder or a compiler before there is a wave to work on.
"""

from ser_pipeline.front_end.layout import Layout, aspect_of, layout_of
from ser_pipeline.front_end.row import Row

__all__ = ["Layout", "Row", "aspect_of", "layout_of"]
