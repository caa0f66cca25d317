def iou(pred, gt):
    """Of two batches of occupied places, `(B, X, Y, Z)`."""
    pred, gt = (grid.flatten(1).bool() for grid in (pred, gt))
    return (pred & gt).sum(dim=1).float() / (pred | gt).sum(dim=1)
