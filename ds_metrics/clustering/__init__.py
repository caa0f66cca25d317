"""From a distance matrix to medoids, and the choice of how many.

Solvers of `kmedoids`:

- ``"fasterpam"``: FasterPAM [1]_, eager swaps, best of several starts; the default.
- ``"alternate"``: assign, then recentre, in turn [2]_ from a k-means++ start [3]_; what the paper used, through
  scikit-learn-extra. Ends 5 to 15 % above FasterPAM's inertia, more than many effects one wants to measure.

`dispersion_curve` gives the score over k and `find_knee` its knee by Kneedle [4]_; `cluster` puts them together.

References:
    .. [1] E. Schubert and P. J. Rousseeuw. Fast and eager k-medoids clustering: O(k) runtime improvement of the PAM,
       CLARA, and CLARANS algorithms. Information Systems 101, 2021.
    .. [2] H.-S. Park and C.-H. Jun. A simple and fast algorithm for K-medoids clustering. Expert Systems with
       Applications 36(2), 2009.
    .. [3] D. Arthur and S. Vassilvitskii. k-means++: the advantages of careful seeding. SODA 2007.
    .. [4] V. Satopaa, J. Albrecht, D. Irwin and B. Raghavan. Finding a "Kneedle" in a haystack: detecting knee points
       in system behavior. ICDCS Workshops 2011.
"""

from ds_metrics.clustering.knee import Knee, find_knee
from ds_metrics.clustering.result import Clustering, Curve
from ds_metrics.clustering.selection import cluster, dispersion_curve
from ds_metrics.clustering.solvers import SOLVERS, kmedoids

__all__ = [
    "SOLVERS",
    "Clustering",
    "Curve",
    "Knee",
    "cluster",
    "dispersion_curve",
    "find_knee",
    "kmedoids",
]
