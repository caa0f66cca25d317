"""Images to feature vectors, whose mean squared differences are the distances between images.

In the order in which an image meets them:

- `images`: any batch of images, checked, to RGB of one size.
- `vgg16`: the network up to relu3_3, the default (the paper's); `weights`: where its weights come from.
- `pixels`: the trivial features.
- `extractor`: what all of them share: batches that fit in memory, no gradient, the key that says what was computed;
  and extractors by name, of other packages too.
"""

from ds_metrics.features.extractor import (
    Extractor,
    create_extractor,
    has_extractor,
    list_extractors,
    register_extractor,
)
from ds_metrics.features.images import Images, as_rgb, check_images
from ds_metrics.features.pixels import Pixels
from ds_metrics.features.vgg16 import VGG16

__all__ = [
    "VGG16",
    "Extractor",
    "Images",
    "Pixels",
    "as_rgb",
    "check_images",
    "create_extractor",
    "has_extractor",
    "list_extractors",
    "register_extractor",
]
