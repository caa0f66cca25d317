"""Swaps of medoids by the distances that are known, where most are not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MOST_SWEEPS = 20
_LEAST_GAIN = 1e-9  # of the inertia: below, sums in another order could swap back and forth


def swap_medoids(
    n_samples: int,
    pairs: tuple[NDArray[np.integer], NDArray[np.integer]],
    distances: NDArray[np.float32],
    medoids: NDArray[np.int64],
    seed: int = 0,
) -> NDArray[np.int64]:
    """Improve medoids by the swaps of FasterPAM (Schubert & Rousseeuw 2021), on part of a distance matrix.

    Samples swap with medoids as soon as that lowers the inertia. A distance that is not known counts as larger than all
    that are, so no swap is taken that would raise the inertia, and none is missed whose gain lies in known distances.
    With those between neighbours known, that is nearly all of them: a sample gains only by a medoid that is near.

    Args:
        n_samples: The number of samples, ``N``.
        pairs: Rows and columns of the known distances, each unordered pair of samples once.
        distances: Their distances.
        medoids: ``(k,)`` sample indices, to begin with.
        seed: Of the order in which samples are tried.

    Returns:
        ``(k,)`` sample indices.

    Example:
        >>> points = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
        >>> i, j = np.triu_indices(6, k=1)
        >>> swap_medoids(6, (i, j), np.abs(points[i] - points[j]).astype(np.float32), np.array([0, 3])).tolist()
        [1, 4]
    """
    known = _Known(n_samples, pairs, distances)
    state = _State(known, medoids)
    order = np.random.default_rng(seed).permutation(n_samples)
    for _ in range(_MOST_SWEEPS):
        swapped = [state.try_swap(int(candidate)) for candidate in order]
        if not any(swapped):
            break
    return state.medoids


class _Known:
    """The known distances of each sample, its own of 0 among them."""

    def __init__(
        self, n_samples: int, pairs: tuple[NDArray[np.integer], NDArray[np.integer]], distances: NDArray[np.float32]
    ) -> None:
        from scipy.sparse import coo_array

        i, j = (side.astype(np.int32, copy=False) for side in pairs)
        upper = coo_array((distances, (i, j)), shape=(n_samples, n_samples)).tocsr()
        self._tables = [(table.indptr, table.indices, table.data) for table in (upper, upper.T.tocsr())]
        self.n_samples = n_samples
        self.unknown = 2 * float(distances.max(initial=0)) + 1e-30

    def of(self, sample: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The samples whose distance to this one is known, and the distances."""
        samples, distances = [np.array([sample], dtype=np.int32)], [np.zeros(1)]
        for starts, others, values in self._tables:
            entries = slice(starts[sample], starts[sample + 1])
            samples.append(others[entries])
            distances.append(values[entries])
        return np.concatenate(samples), np.concatenate(distances)


class _State:
    """Medoids, and of each sample the distances to the two nearest."""

    def __init__(self, known: _Known, medoids: NDArray[np.int64]) -> None:
        self._known = known
        self.medoids = medoids.copy()
        self._is_medoid = np.zeros(known.n_samples, dtype=bool)
        self._is_medoid[medoids] = True
        self._table = np.full((known.n_samples, len(medoids)), known.unknown, dtype=np.float32)
        for slot, medoid in enumerate(medoids):
            samples, distances = known.of(int(medoid))
            self._table[samples, slot] = distances
        self._nearest, self._second = (np.empty(known.n_samples, dtype=np.int64) for _ in range(2))
        self._to_nearest, self._to_second = (np.empty(known.n_samples) for _ in range(2))
        self._update(np.arange(known.n_samples))
        self._least_gain = _LEAST_GAIN * self._to_nearest.sum()

    def try_swap(self, candidate: int) -> bool:
        """Put the candidate in the place of the medoid that is missed least, if that lowers the inertia."""
        if self._is_medoid[candidate]:
            return False
        samples, distances = self._known.of(candidate)
        nearest, to_nearest, to_second = (v[samples] for v in (self._nearest, self._to_nearest, self._to_second))
        gain = distances - to_nearest
        comes = gain < 0
        # A sample that comes no longer misses its medoid; one that would have gone to its second may come instead.
        kept = np.where(comes, to_nearest - to_second, np.minimum(distances - to_second, 0))
        change = self._losses + np.bincount(nearest, kept, len(self.medoids))
        slot = int(change.argmin())
        if change[slot] + gain[comes].sum() >= -self._least_gain:
            return False
        self._is_medoid[[self.medoids[slot], candidate]] = False, True
        self.medoids[slot] = candidate
        self._table[:, slot] = self._known.unknown
        self._table[samples, slot] = distances
        affected = (self._nearest == slot) | (self._second == slot)
        affected[samples] = True
        self._update(np.flatnonzero(affected))
        return True

    def _update(self, samples: NDArray[np.int64]) -> None:
        table, rows = self._table[samples], np.arange(len(samples))
        for slots, values in ((self._nearest, self._to_nearest), (self._second, self._to_second)):
            slot = table.argmin(axis=1)
            slots[samples], values[samples] = slot, table[rows, slot]
            table[rows, slot] = np.inf
        if len(self.medoids) == 1:
            self._second[samples], self._to_second[samples] = 0, self._known.unknown
        missed = self._to_second - self._to_nearest
        self._losses = np.bincount(self._nearest, missed, len(self.medoids))
