"""The networks that the paper studies: an image in, the points of the shape that it shows out.

- `registry`: networks by name, `create_network`; other packages join through an entry point.
- `network`: what they have in common; `encoder`: the ResNet that turns an image into a code.
- `psgn`: Fan et al., A point set generation network for 3D object reconstruction from a single image. CVPR 2017.
- `foldingnet`: Yang et al., FoldingNet: Point cloud auto-encoder via deep grid deformation. CVPR 2018.
- `atlasnet`: Groueix et al., AtlasNet: A papier-mâché approach to learning 3D surface generation. CVPR 2018;
  `patches`: its decoders, all at once; `templates`: what they deform.
- `occnet`: Mescheder et al., Occupancy networks: Learning 3D reconstruction in function space. CVPR 2019;
  `surface`: marching cubes over its field.
- `building`: what holds for all of them where they are made.

Layer sizes are those of the paper's experiments (Zhou et al. 2021), which decode a code of 1024 numbers with 512 hidden
ones; of OccNet, those of its own.
"""

from svr_baselines.networks.network import Network
from svr_baselines.networks.registry import (
    NetworkInfo,
    create_network,
    find_network,
    has_network,
    list_networks,
    register_network,
)

__all__ = [
    "Network",
    "NetworkInfo",
    "create_network",
    "find_network",
    "has_network",
    "list_networks",
    "register_network",
]
