r"""From a distance matrix to medoids.

A *medoid* is the sample that stands for its cluster; the *inertia* of a clustering is the sum of each
sample's distance to its medoid, and the Dispersion Score is the inertia per sample (Zhou et al. 2021, eq. 3):

.. math:: \mathrm{DS}(D) = \frac{1}{N} \sum_{i=0}^{N-1} d(x_i, \mathrm{Ctr}_i)

What is here, from the inside out:

- :func:`kmedoids`: ``k`` medoids by one of several solvers.
  ``"fasterpam"`` (Schubert & Rousseeuw 2021) swaps a medoid with any other sample as soon as that lowers the
  inertia; the best of its starts is shaken out of its optimum (variable neighbourhood search, Hansen &
  Mladenović 1997).
  ``"alternate"`` (Park & Jun 2009), which the paper used, assigns and re-centres in turn: quicker,
  and several per cent above. Both begin from k-medoids++ seeds (Arthur & Vassilvitskii 2007).
  To reproduce the paper and its ablation there are also, from other libraries (:mod:`.libraries`),
  ``"sklearn-extra"``, the implementation of the latter that the paper used, ``"affinity-propagation"`` (Frey &
  Dueck 2007) and ``"hierarchical"``, by complete linkage (Defays 1977).
- :func:`dispersion_curve`: the score over ``k``, each solution grown from the one before by greedy additions
  (the BUILD step of PAM, Kaufman & Rousseeuw 1990), so that the curve never rises.
- :func:`find_knee`: the ``k`` past which more clusters stop paying off, by Kneedle (Satopaa et al. 2011).
- :func:`confidence_interval`: how far the score can be trusted, from parts of the samples (Shao & Wu 1989).
- :func:`cluster`: all of it; ``k`` given, or taken at the knee as in the paper.

Samples are solved in an order derived from their distances, so the score is the same to the bit for any
order in which they come. The exceptions: ``"sklearn-extra"``, and samples that mirror each other, as on a regular
grid; among those the order in which they came decides, and the solver may end in another local optimum.

References:
    - D. Arthur, S. Vassilvitskii. k-means++: The advantages of careful seeding. SODA 2007.
    - D. Defays. An efficient algorithm for a complete link method. The Computer Journal 20(4), 1977.
    - B. J. Frey, D. Dueck. Clustering by passing messages between data points. Science 315, 2007.
    - P. Hansen, N. Mladenović. Variable neighborhood search for the p-median. Location Science 5(4), 1997.
    - L. Kaufman, P. J. Rousseeuw. Finding Groups in Data. Wiley 1990.
    - H.-S. Park, C.-H. Jun. A simple and fast algorithm for k-medoids clustering.
      Expert Systems with Applications 36(2), 2009.
    - V. Satopaa, J. Albrecht, D. Irwin, B. Raghavan. Finding a "Kneedle" in a haystack. ICDCS Workshops 2011.
    - E. Schubert, P. J. Rousseeuw. Fast and eager k-medoids clustering. Information Systems 101, 2021.
    - Y. Zhou et al. A dataset-dispersion perspective on reconstruction versus recognition in single-view
      3D reconstruction networks. 3DV 2021.
"""

from ds_metrics.clustering.curve import cluster, dispersion_curve
from ds_metrics.clustering.interval import confidence_interval
from ds_metrics.clustering.knee import Knee, find_knee
from ds_metrics.clustering.result import Clustering, Curve, Estimator, Interval, Solver
from ds_metrics.clustering.solvers import kmedoids

__all__ = [
    "Clustering",
    "Curve",
    "Estimator",
    "Interval",
    "Knee",
    "Solver",
    "cluster",
    "confidence_interval",
    "dispersion_curve",
    "find_knee",
    "kmedoids",
]
