"""The nearest point of a triangulated surface: boxes and planes rule out all but a few triangles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
_Indices = NDArray[np.intp]

_GROUP = 32  # triangles in one box
_FIRST = 8  # triangles near a point, whose distance bounds that of the surface
_POINT_GROUPS = 2**16  # pairs looked at together, which bounds the memory
_EXPANDED = 2**13
_THIN = 1e-3  # height of a triangle over its longest edge, below which it is a sliver


def closest_points(points: Points, triangles: Points) -> Points:
    """The point of a surface that is nearest to each point, of shape ``(P, 3)``.

    Long triangles are cut first, as the boxes about them would rule nothing out.

    Args:
        points: Of shape ``(P, 3)``.
        triangles: Corners, of shape ``(F, 3, 3)``.

    Example:
        >>> closest_points(np.array([[0.2, 0.2, 2.0]]), np.array([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]]))
        array([[0.2, 0.2, 0. ]])
    """
    return _Surface(_cut(triangles)).closest(points)


class _Surface:
    """Triangles in groups of neighbours, with the boxes about each and about each group."""

    def __init__(self, triangles: Points) -> None:
        from scipy.spatial import KDTree

        self.tree = KDTree(triangles.mean(axis=1), leafsize=_GROUP)
        order = self.tree.indices
        self.place = np.argsort(order)  # of each triangle among those in order
        self.triangles = triangles[np.concatenate([order, np.repeat(order[-1:], -len(order) % _GROUP)])]
        low, high = self.triangles.min(axis=1), self.triangles.max(axis=1)
        self.middle = (low + high) / 2
        self.radius = np.linalg.norm(self.triangles - self.middle[:, None], axis=2).max(axis=1)
        across = np.cross(self.triangles[:, 1] - self.triangles[:, 0], self.triangles[:, 2] - self.triangles[:, 0])
        doubled = np.linalg.norm(across, axis=1)
        self.thin = doubled <= _THIN * _edge_squares(self.triangles).max(axis=1)
        # None where the plane is not told well enough to rule anything out.
        self.normals = np.where(self.thin, 0, across.T / np.where(self.thin, 1, doubled)).T
        self.offsets = _dot(self.triangles[:, 0] - self.middle, self.normals)
        # By group and axis, so that what is looked at together lies together.
        low, high = (corner.reshape(-1, _GROUP, 3).transpose(0, 2, 1) for corner in (low, high))
        self.boxes = (high + low) / 2, (high - low) / 2
        low, high = low.min(axis=2), high.max(axis=2)
        self.group_boxes = ((high + low) / 2).T, ((high - low) / 2).T

    def closest(self, points: Points) -> Points:
        """The nearest point to each."""
        bounds = self._bounds(points)
        rows = max(1, _POINT_GROUPS // self.group_boxes[0].shape[1])
        parts = [slice(start, start + rows) for start in range(0, len(points), rows)]
        return np.concatenate([self._closest(points[part], bounds[part]) for part in parts])

    def _bounds(self, points: Points) -> Points:
        """Squared distances that the surface is at most away."""
        count = min(_FIRST, len(self.place))
        near = self.place[self.tree.query(points, k=count)[1]].reshape(len(points), count)
        found = self._measure(np.repeat(points, count, axis=0), near.ravel()).reshape(*near.shape, 3)
        bounds = np.linalg.norm(found - points[:, None], axis=2).min(axis=1)
        slack = 1e-12 * (bounds + self.radius.max() + np.abs(points).max())  # of rounding
        squares: Points = (bounds + slack) ** 2
        return squares

    def _closest(self, points: Points, bounds: Points) -> Points:
        middle, half = self.group_boxes
        squares = np.zeros((len(points), middle.shape[1]))
        for axis in range(3):
            squares += _outside(points[:, axis, None], middle[axis], half[axis])
        point, group = np.nonzero(squares <= bounds[:, None])
        parts = [slice(start, start + _EXPANDED) for start in range(0, len(point), _EXPANDED)]
        nearest = [self._nearest(points, *self._pairs(points, bounds, point[part], group[part])) for part in parts]
        point, found, distances = (np.concatenate(side) for side in zip(*nearest, strict=True))
        return np.asarray(found[_least_of_each(point, distances)])

    def _nearest(self, points: Points, point: _Indices, triangle: _Indices) -> tuple[_Indices, Points, Points]:
        """Of the triangles beside each point the nearest place and its distance."""
        found = self._measure(points[point], triangle)
        distances = np.linalg.norm(points[point] - found, axis=1)
        least = _least_of_each(point, distances)
        return point[least], found[least], distances[least]

    def _pairs(self, points: Points, bounds: Points, point: _Indices, group: _Indices) -> tuple[_Indices, _Indices]:
        """Points and triangles of the groups beside them that neither their own boxes nor their planes rule out."""
        middle, half = self.boxes
        squares = _outside(points[point][:, :, None], middle[group], half[group]).sum(axis=1)
        pair, member = np.nonzero(squares <= bounds[point][:, None])
        point, triangle = point[pair], group[pair] * _GROUP + member
        above = _dot(points[point] - self.middle[triangle], self.normals[triangle]) - self.offsets[triangle]
        near = above * above <= bounds[point]
        return point[near], triangle[near]

    def _measure(self, points: Points, which: _Indices) -> Points:
        """The point of each triangle nearest to the point beside it."""
        parts = [slice(start, start + _EXPANDED) for start in range(0, len(which), _EXPANDED)]  # which fit the cache
        return np.concatenate([np.empty((0, 3)), *(self._measured(points[part], which[part]) for part in parts)])

    def _measured(self, points: Points, which: _Indices) -> Points:
        from trimesh.triangles import closest_point

        middle, radius = self.middle[which], self.radius[which]
        sizes = np.where(radius > 0, radius, 1.0)[:, None]  # brought to 1, as the library's tolerance is absolute
        triangles = (self.triangles[which] - middle[:, None]) / sizes[:, None]
        local = (points - middle) / sizes
        found: Any = closest_point(triangles, local)
        if (thin := self.thin[which]).any():
            found[thin] = _closest_of_slivers(local[thin], triangles[thin])
        places: Points = found * sizes + middle
        return places


def _least_of_each(point: _Indices, distances: Points) -> _Indices:
    """Where the least distance of each point is, in the order of the points."""
    order = np.lexsort((distances, point))
    return order[np.flatnonzero(np.diff(point[order], prepend=-1))]


def _closest_of_slivers(points: Points, triangles: Points) -> Points:
    """The point of each thin triangle nearest to the point beside it.

    Barycentric coordinates lose the digits that the area has lost. The longest edge and the height above it do not.
    """
    rows = np.arange(len(triangles))[:, None]
    first = _edge_squares(triangles).argmax(axis=1)[:, None]
    a, b, c = triangles[rows, (first + np.arange(3)) % 3].transpose(1, 0, 2)
    along, length = _direction(b - a)
    apex = _dot(c - a, along)
    up, height = _direction(c - a - apex[:, None] * along)
    x, y = _dot(points - a, along), _dot(points - a, up)
    inside = (y > 0) & (x * height >= y * apex) & ((length - x) * height >= y * (length - apex))
    places = np.stack([_closest_of_edges(points, *edge) for edge in ((a, b), (b, c), (c, a))])
    nearest = np.linalg.norm(places - points, axis=2).argmin(axis=0)
    within = a + x[:, None] * along + y[:, None] * up
    found: Points = np.where(inside[:, None], within, places[nearest, rows[:, 0]])
    return found


def _closest_of_edges(points: Points, start: Points, end: Points) -> Points:
    along, length = _direction(end - start)
    places: Points = start + np.clip(_dot(points - start, along), 0, length)[:, None] * along
    return places


def _direction(vectors: Points) -> tuple[Points, Points]:
    """Unit vectors, or 0, and lengths."""
    lengths = np.linalg.norm(vectors, axis=1)
    return vectors / np.where(lengths > 0, lengths, 1)[:, None], lengths


def _dot(a: Points, b: Points) -> Points:
    products: Points = np.einsum("ij,ij->i", a, b)
    return products


def _outside(points: Points, middle: Points, half: Points) -> Points:
    """Squares of how far coordinates are outside of boxes."""
    gaps: Points = np.abs(points - middle)
    gaps -= half
    np.maximum(gaps, 0, out=gaps)
    gaps *= gaps
    return gaps


def _cut(triangles: Points) -> Points:
    """The same surface with the triangles of long edges cut in two, longest first: at most about twice as many."""
    most = 2 * len(triangles) + 4096
    edges = _edge_squares(triangles)
    usual = 4 * np.median(edges.max(axis=1))
    while (longest := edges.max()) > usual:
        cut = np.flatnonzero(edges.max(axis=1) >= max(longest / 4, usual))
        if len(triangles) + len(cut) > most:
            break
        edge = edges[cut].argmax(axis=1)
        corners = triangles[cut[:, None], (edge[:, None] + np.arange(3)) % 3]
        halves = np.stack([corners, corners], axis=1)
        halves[:, 0, 1] = halves[:, 1, 0] = corners[:, :2].mean(axis=1)
        triangles = np.concatenate([np.delete(triangles, cut, axis=0), halves.reshape(-1, 3, 3)])
        edges = _edge_squares(triangles)
    return triangles


def _edge_squares(triangles: Points) -> Points:
    """Squared lengths of the edges from each corner to the next, of shape ``(F, 3)``."""
    squares: Points = np.square(triangles[:, [1, 2, 0]] - triangles).sum(axis=2)
    return squares
