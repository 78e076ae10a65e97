import numpy as np

from ser_pipeline.manifest.digest import packed_texts
from ser_pipeline.store.identity import keyed


def test_variants_and_aspects_are_keys_of_their_own():
    digests = packed_texts([f"{number:032x}" for number in range(3)]).repeat(2, axis=0)
    plain = keyed(digests, np.zeros(6, int), ["", "song"])
    assert np.array_equal(plain, digests)
    assert keyed(digests, np.zeros(6, int), [0]) is digests
    both = [keyed(digests, np.arange(6) % 2, kinds) for kinds in ([0, 1], [1, 2], ["", "speech"], ["1", "2"])]
    every = np.concatenate([digests[::2], *both])
    assert len(np.unique(every, axis=0)) == 3 * (
        1 + 1 + 1 + 1 + 2
    )  # 0 and "" change nothing, 1 is there twice
