import torch


def face_areas(vertices, faces):
    """Areas `(B, F)` of the triangles of meshes of one topology."""
    a, b, c = (vertices[:, faces[:, corner]] for corner in range(3))
    return torch.linalg.cross(b - a, c - a).norm(dim=2) / 2


def sample_points(vertices, faces, num_samples, areas=None, face_features=None):
    """Points `(B, P, 3)` of meshes and their faces `(B, P)`, drawn from torch's own generator."""
    areas = face_areas(vertices, faces) if areas is None else areas
    chosen = torch.distributions.Categorical(areas).sample([num_samples]).T
    corners = torch.stack([mesh[faces[own]] for mesh, own in zip(vertices, chosen, strict=True)])
    weights = torch.distributions.Dirichlet(torch.ones(3)).sample(chosen.shape)
    return torch.einsum("bpc,bpcd->bpd", weights, corners), chosen
