"""Whether some or all recordings behind a result are synthetic voices."""

from collections.abc import Iterable
from pathlib import Path


def synthetic_voices(corpora: Iterable[str], digest: str, manifests: Path = Path("manifests")) -> str:
    """Say which recordings are synthetic voices.

    Args:
        corpora: that the recordings are from; some of them are synthetic.
        digest: of the manifest that they are from, which alone tells.
        manifests: folder to look for it in.

    Returns:
        As ``all of these recordings are synthetic voices``.
    """
    from ser_pipeline.errors import ManifestError
    from ser_pipeline.manifest import read_manifest

    which = "some or all"
    try:
        manifest = read_manifest(manifests, ["corpus"])
        if manifest.digest == digest:
            which = "all" if {*corpora} <= {*manifest.synthetic_corpora} else "some"
    except ManifestError:
        pass
    return f"{which} of these recordings are synthetic voices"
