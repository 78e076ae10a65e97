"""Random generators that depend on a name, never on the order of work."""

from hashlib import blake2b

import numpy as np


def named_rng(*name: object) -> np.random.Generator:
    """Generator whose stream is fixed by ``name`` alone.

    Every clip, speaker and table draws from its own stream, so the bytes that come out are the
    same for any number of jobs and for any choice of corpora.

    Args:
        *name: what is drawn for, such as ``(seed, "speaker", "emodb-03")``.

    Examples:
        >>> named_rng(1, "a").random() == named_rng(1, "a").random()
        True
        >>> named_rng(1, "a").random() == named_rng(2, "a").random()
        False
    """
    text = "\x1f".join(str(part) for part in name)
    return np.random.default_rng(int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big"))
