"""From a distance matrix to medoids."""
