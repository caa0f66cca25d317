"""Feature extractors: what is the same for all of them, and how they are found by name."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ds_metrics._modes import evaluating
from ds_metrics.features.images import Images, as_rgb, check_images
from ds_metrics.features.pixels import Pixels
from ds_metrics.features.vgg16 import VGG16
from ds_metrics.pairwise.memory import free_memory

ENTRY_POINT_GROUP = "ds_metrics.extractors"
IMAGE_SIZE = 224  # pixels: what VGG16 was trained on, and the paper's

_FACTORIES: dict[str, Callable[..., nn.Module]] = {"vgg16": VGG16, "pixels": Pixels}
_MEMORY_SHARE = 0.25  # of what is free, for the activations of a batch
_BYTES_PER_PIXEL = 4 * 64 * 3  # of an image: VGG16's first layer and its input, the largest of it
_LARGEST_ON_GPU = 64  # and 1 on a CPU: more are no faster there, and one alone has the same bits in every batch


class Extractor:
    """Turns images into feature vectors by a network: in eval mode, without gradient, in float32 whatever is around.

    Not a module itself, so that a metric that holds it brings no weights into checkpoints and no parameters to an
    optimizer.

    Args:
        network: Takes RGB images ``(B, 3, image_size, image_size)`` in [0, 1], in the type of its weights, or float32
            where it has none or of several types, and returns ``(B, D)``.
        name: What results call it.
        image_size: Pixels to which all images are resized, see `ds_metrics.features.as_rgb`.
        batch_size: Images at once; by default as many as memory allows, up to what speeds it up.
        device: Where the network is to run; features come back to the images' device. By default it goes where the
            images are.

    Example:
        >>> extractor = Extractor(Pixels(), "pixels", image_size=8)
        >>> extractor(torch.zeros(5, 3, 16, 16)).shape
        torch.Size([5, 192])
    """

    def __init__(
        self,
        network: nn.Module,
        name: str,
        image_size: int = IMAGE_SIZE,
        batch_size: int | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        for argument, value in {
            "image_size": image_size,
            "batch_size": 1 if batch_size is None else batch_size,
        }.items():
            if type(value) is not int or value < 1:
                raise ValueError(f"Argument `{argument}` must be a positive integer, but got {value!r}")
        self.network = network
        self.name = name
        self.image_size = image_size
        self._batch_size = batch_size
        self._device = None if device is None else torch.device(device)

    @property
    def key(self) -> dict[str, Any]:
        """What features depend on beside the images, ready for JSON; scores under different keys don't compare.

        ``weights`` is a SHA-256 over names and values of all parameters and buffers, ``None`` where there are none.
        """
        key = {"extractor": self.name, "image_size": self.image_size, "weights": _weights_hash(self.network)}
        return key | ({"pooling": self.network.pooling} if isinstance(self.network, VGG16) else {})

    @property
    def batch_size(self) -> int:
        """Images to hand over at once."""
        return self._batch_size or self._fitting(self._device or torch.device("cpu"))

    def __call__(self, images: Images, name: str = "images") -> Tensor:
        """Features of images, ``(B, D)``, on their device; float32, or float16 if the network returns that.

        The features of an image don't depend on the batch that it comes in, but for rounding on a GPU.

        Args:
            images: See `ds_metrics.features.check_images`.
            name: What error messages call the argument.

        Raises:
            TypeError: If images are neither uint8 nor floating point numbers.
            ValueError: If images have a wrong shape or values out of range, or the network returns anything but one
                finite vector for each.
        """
        checked = check_images(images, name)
        home = checked[0].device if checked else torch.device("cpu")
        device = self._device or home
        self.network.to(device)
        size = self._batch_size or self._fitting(device)
        features: Tensor | None = None
        start = 0
        with _plain(self.network, device):
            while start < len(checked) or features is None:
                try:
                    part = self._extract(checked[start : start + size], device).to(home)
                except torch.cuda.OutOfMemoryError:
                    if size == 1:
                        raise
                    size = max(1, size // 2)
                    continue
                if features is None:  # filled in place: putting parts together would take the memory twice
                    features = part.new_empty(len(checked), part.shape[1])
                features[start : start + size] = part[: len(checked)]
                start += size
        return features

    def _extract(self, images: Sequence[Tensor], device: torch.device) -> Tensor:
        """Features of a part; of none, those of a black image, as only the network knows how many there are."""
        batch = as_rgb(
            [image.to(device) for image in images or [torch.zeros(3, 1, 1, dtype=torch.float32, device="cpu")]],
            self.image_size,
        )
        features = self._run(batch)
        if not isinstance(features, Tensor) or features.ndim != 2 or len(features) != len(batch):
            got = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise ValueError(f"Extractor {self.name!r} must return ({len(batch)}, d) features, but returned {got}")
        if not features.is_floating_point():
            raise ValueError(
                f"Extractor {self.name!r} must return floating point features, but returned {features.dtype}"
            )
        if features.dtype != torch.float16:
            features = features.float()
        if not torch.isfinite(features).all():
            raise ValueError(f"Extractor {self.name!r} must return finite features, but returned NaN or infinity")
        return features

    def _run(self, batch: Tensor) -> Any:
        """What the network makes of images in the type of its weights."""
        dtypes = {value.dtype for value in self.network.state_dict().values() if value.is_floating_point()}
        if len(dtypes) == 1:
            batch = batch.to(next(iter(dtypes)))
        try:
            return self.network(batch)
        except RuntimeError as error:
            if len(dtypes) < 2:
                raise
            found = ", ".join(sorted(map(str, dtypes)))
            raise ValueError(
                f"Extractor {self.name!r} can't run with weights of several types ({found}): convert it to one"
            ) from error

    def _fitting(self, device: torch.device) -> int:
        if device.type == "cpu":
            return 1
        free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()
        fitting = int(_MEMORY_SHARE * free) // (_BYTES_PER_PIXEL * self.image_size**2)
        return max(1, min(_LARGEST_ON_GPU, fitting))


def create_extractor(
    extractor: str | nn.Module | Extractor = "vgg16",
    *,
    weights: str | Path | None = None,
    pooling: str | None = None,
    image_size: int | None = None,
    batch_size: int | None = None,
    device: torch.device | str | None = None,
) -> Extractor:
    """Make an extractor of a name or of a network.

    Args:
        extractor: ``"vgg16"``, ``"pixels"`` or another name of `list_extractors`; or a network, see `Extractor`, which
            is used as it is: it stays on its device, and its mode is put back after each use.
        weights: For ``"vgg16"``, see `ds_metrics.features.VGG16`; ``None`` is its default.
        pooling: Likewise.
        image_size: Pixels to which images are resized; 224 by default.
        batch_size: Images at once, by default as memory allows.
        device: Where it is to run, by default where the images are; a network stays where it is.

    Raises:
        ValueError: If nothing has the name, or the extractor doesn't take an option.

    Example:
        >>> create_extractor("vgg16", image_size=32)(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 64])
        >>> create_extractor(torch.nn.Flatten(), image_size=4)(torch.rand(2, 3, 8, 8)).shape
        torch.Size([2, 48])
    """
    options = {name: value for name, value in {"weights": weights, "pooling": pooling}.items() if value is not None}
    if isinstance(extractor, Extractor):
        if options or any(value is not None for value in (image_size, batch_size, device)):
            raise ValueError("Argument `extractor` is one already: it takes no options")
        return extractor
    size = IMAGE_SIZE if image_size is None else image_size
    if isinstance(extractor, nn.Module):
        if options:
            raise ValueError(f"Argument `{next(iter(options))}` is for named extractors, but got a network")
        own = next((value.device for value in extractor.state_dict().values()), None)
        return Extractor(extractor, type(extractor).__name__, size, batch_size, device or own)
    factory = _find(extractor)
    known = inspect.signature(factory).parameters
    if unknown := [name for name in options if name not in known]:
        raise ValueError(f"Argument `{unknown[0]}` is not an option of extractor {extractor!r}")
    return Extractor(factory(**options), extractor, size, batch_size, device)


def register_extractor(name: str, factory: Callable[..., nn.Module]) -> None:
    """Make an extractor known by name in this process.

    An installed package joins by an entry point in the group ``ds_metrics.extractors`` that names a factory.

    Args:
        name: Name to ask for it by.
        factory: Makes the network, see `Extractor`; usually its class. It may take ``weights`` and ``pooling``.

    Raises:
        TypeError: If ``factory`` can't be called.
        ValueError: If the name is taken.

    Example:
        >>> layers = torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
        >>> register_extractor("mean-colour", lambda: torch.nn.Sequential(*layers))
        >>> create_extractor("mean-colour")(torch.ones(1, 3, 8, 8))
        tensor([[1., 1., 1.]])
    """
    if not callable(factory):
        raise TypeError(f"Argument `factory` must be callable, but got {type(factory).__name__}")
    if name in (*list_extractors(), "chamfer", "features"):
        raise ValueError(f"Argument `name` must be new, but {name!r} is taken")
    _FACTORIES[name] = factory


def list_extractors() -> list[str]:
    """Names of all extractors.

    Example:
        >>> list_extractors()[:2]
        ['vgg16', 'pixels']
    """
    others = {entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)} - set(_FACTORIES)
    return [*_FACTORIES, *sorted(others)]


def has_extractor(name: str) -> bool:
    """Whether there is an extractor of this name; installed packages are only searched if it is not known here."""
    return name in _FACTORIES or name in list_extractors()


def _find(name: str) -> Callable[..., nn.Module]:
    if name in _FACTORIES:
        return _FACTORIES[name]
    for entry in entry_points(group=ENTRY_POINT_GROUP, name=name):
        try:
            loaded: Callable[..., nn.Module] = entry.load()
        except Exception as error:  # someone else's package: whatever it raises must not look like ours
            raise ValueError(f"extractor {name!r} can't be loaded: {type(error).__name__}: {error}") from error
        return loaded
    raise ValueError(f"Argument `extractor` must be a network or one of {list_extractors()}, but got {name!r}")


@contextmanager
def _plain(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Eval mode, no gradient, and neither autocast nor TF32, which move features by a part in a thousand."""
    with (
        torch.no_grad(),
        torch.autocast(device.type, enabled=False),
        _without_tf32(),
        evaluating(network),
    ):
        yield


@contextmanager
def _without_tf32() -> Iterator[None]:
    cudnn: Any = torch.backends.cudnn
    switch, off = (cudnn.conv, "ieee") if hasattr(cudnn, "conv") else (cudnn, False)  # the first from torch 2.9 on
    name = "fp32_precision" if switch is not cudnn else "allow_tf32"
    before = getattr(switch, name)
    setattr(switch, name, off)
    try:
        yield
    finally:
        setattr(switch, name, before)


def _weights_hash(network: nn.Module) -> str | None:
    state = network.state_dict()
    if not state:
        return None
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        value = value.detach().cpu().contiguous()
        digest.update(f"{name}\0{value.dtype}\0{tuple(value.shape)}\0".encode())
        digest.update(value.view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
