"""Slow, plain definitions to test against."""

import numpy as np


def squared_minima(x, y):
    """For each point of `x` its squared distance to the nearest of `y`, by loops in float64."""
    return [min(sum((float(a) - float(b)) ** 2 for a, b in zip(p, q, strict=True)) for q in y) for p in x]


def chamfer(x, y, w1=1.0, w2=1.0, squared=True):
    power = 1.0 if squared else 0.5
    to_y = [value**power for value in squared_minima(x, y)]
    to_x = [value**power for value in squared_minima(y, x)]
    return w1 * sum(to_y) / len(to_y) + w2 * sum(to_x) / len(to_x)


def f_score(gt, pred, radius, eps=1e-8):
    precision = np.mean([value <= radius**2 for value in squared_minima(pred, gt)])
    recall = np.mean([value <= radius**2 for value in squared_minima(gt, pred)])
    return 2 * precision * recall / (precision + recall + eps)


def dense_chamfer(x, y):
    """The same as `chamfer`, in numpy, for clouds that loops would take too long for."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    squares = ((x[:, None] - y[None]) ** 2).sum(axis=-1)
    return squares.min(axis=1).mean() + squares.min(axis=0).mean()
