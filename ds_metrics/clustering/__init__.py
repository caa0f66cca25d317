r"""From a distance matrix to medoids.

A *medoid* is the sample that stands for its cluster; the *inertia* of a clustering is the sum of each
sample's distance to its medoid, and the Dispersion Score is the inertia per sample (Zhou et al. 2021, eq. 3):

.. math:: \mathrm{DS}(D) = \frac{1}{N} \sum_{i=0}^{N-1} d(x_i, \mathrm{Ctr}_i)

What is here, from the inside out:

- :func:`kmedoids`: ``k`` medoids by one of two solvers.
  ``"fasterpam"`` (Schubert & Rousseeuw 2021) swaps a medoid with any other sample as soon as that lowers the
  inertia. ``"alternate"`` (Park & Jun 2009), which the paper used, assigns and re-centres in turn: quicker,
  and several per cent above. Both begin from k-medoids++ seeds (Arthur & Vassilvitskii 2007).
- :func:`dispersion_curve`: the score over ``k``, each solution grown from the one before by greedy additions
  (the BUILD step of PAM, Kaufman & Rousseeuw 1990), so that the curve never rises.
- :func:`find_knee`: the ``k`` past which more clusters stop paying off, by Kneedle (Satopaa et al. 2011).
- :func:`cluster`: all of it; ``k`` given, or taken at the knee as in the paper.

Samples are solved in an order derived from their distances, so the score is the same to the bit for any
order in which they come. The exception: samples that mirror each other, as on a regular grid;
among those the order in which they came decides, and the solver may end in another local optimum.

References:
    - D. Arthur, S. Vassilvitskii. k-means++: The advantages of careful seeding. SODA 2007.
    - L. Kaufman, P. J. Rousseeuw. Finding Groups in Data. Wiley 1990.
    - H.-S. Park, C.-H. Jun. A simple and fast algorithm for k-medoids clustering.
      Expert Systems with Applications 36(2), 2009.
    - V. Satopaa, J. Albrecht, D. Irwin, B. Raghavan. Finding a "Kneedle" in a haystack. ICDCS Workshops 2011.
    - E. Schubert, P. J. Rousseeuw. Fast and eager k-medoids clustering. Information Systems 101, 2021.
    - Y. Zhou et al. A dataset-dispersion perspective on reconstruction versus recognition in single-view
      3D reconstruction networks. 3DV 2021.
"""

from ds_metrics.clustering.curve import cluster, dispersion_curve
from ds_metrics.clustering.knee import Knee, find_knee
from ds_metrics.clustering.result import Clustering, Curve, Solver
from ds_metrics.clustering.solvers import kmedoids

__all__ = ["Clustering", "Curve", "Knee", "Solver", "cluster", "dispersion_curve", "find_knee", "kmedoids"]
