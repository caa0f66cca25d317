"""Pictures of meshes, on the CPU by Embree or on a GPU by Kaolin.

Which face is seen, and where on it, is all that differs between renderers. Cameras, light, textures and anti-aliasing
are one piece of code, so that every renderer gives the same picture. Importing this loads numpy alone.
"""

from svr_baselines.rendering.backends import RENDERERS, choose_renderer
from svr_baselines.rendering.loading import check_up, load_surface, to_y_up
from svr_baselines.rendering.renderer import render
from svr_baselines.rendering.surface import Material, Surface

__all__ = ["RENDERERS", "Material", "Surface", "check_up", "choose_renderer", "load_surface", "render", "to_y_up"]
