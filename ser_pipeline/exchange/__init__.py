"""Data sets of other tools, both ways: import into a description and a table, export of a manifest.

Each format has a module, which reads a data set into :class:`ser_pipeline.exchange.items.Foreign`, and
writes rows of a manifest.
"""

from ser_pipeline.exchange.bring import Imported, import_dataset
from ser_pipeline.exchange.formats import FORMATS
from ser_pipeline.exchange.leave import Exported, export_manifest

__all__ = ["FORMATS", "Exported", "Imported", "export_manifest", "import_dataset"]
