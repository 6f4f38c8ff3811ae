"""Images to train on: two embedded sets that need no network, and torchvision's sets or a folder of images on request."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

SHAPES = ("circle", "triangle", "square", "pentagon", "star", "cross")
TORCHVISION_SETS = {"cifar10": "CIFAR10", "cifar100": "CIFAR100", "fashion_mnist": "FashionMNIST"}


@dataclass(frozen=True)
class Data:
    """A data set in memory, each channel standardised by the mean and standard deviation of the training images.

    ``x_train`` and ``x_test`` are float32 (N, C, H, W); ``y_train`` and ``y_test`` are int64 (N,), indices into ``classes``.
    """

    name: str
    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    classes: tuple[str, ...]

    @property
    def in_channels(self) -> int:
        return self.x_train.shape[1]

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    def __repr__(self) -> str:
        n, c, h, w = self.x_train.shape
        return f"Data({self.name}: {n} training and {len(self.x_test)} test images of {c}×{h}×{w}, {self.num_classes} classes)"


def load_data(
    name: str | Path = "digits", root: str | Path = "data", *, image_size: int | None = None, download: bool = False
) -> Data:
    """Load a data set by name, or from a folder of images.

    Args:
        name: "digits": 1,797 real handwritten digits of 8×8 pixels (Alpaydin and Kaynak 1998, inside scikit-learn);
            "shapes": 4,000 drawn outlines of 32×32 pixels, six kinds at sizes from 3 to 14 pixels of radius;
            "cifar10", "cifar100", "fashion_mnist": torchvision's, read from ``root``;
            or the path of a folder with ``train/CLASS/*.png`` and ``test/CLASS/*.png`` (any format that PIL reads).
        root: where torchvision's sets are, or are to be put.
        image_size: for folders: resize every image to this height and width; without it all must have one size.
        download: let torchvision fetch a set that ``root`` lacks (170 MB for CIFAR-10).
    Raises:
        ValueError: if the name is unknown, or a folder has no images, images of several sizes, or other classes in ``test``.
        FileNotFoundError: if a torchvision set is not in ``root``.
    """
    if name == "digits":
        return load_digits()
    if name == "shapes":
        return load_shapes()
    if name in TORCHVISION_SETS:
        return load_torchvision(str(name), Path(root), download)
    if Path(name).is_dir():
        return load_folder(Path(name), image_size)
    known = ", ".join(["digits", "shapes", *TORCHVISION_SETS])
    raise ValueError(f"data set {str(name)!r} is unknown; use one of {known}, or the path of a folder of images that exists")


def load_digits() -> Data:
    """Three quarters of scikit-learn's digits to train on, a quarter to test, every class split alike."""
    from sklearn.datasets import load_digits as sklearn_digits
    from sklearn.model_selection import train_test_split

    images, labels = sklearn_digits(return_X_y=True)
    split = train_test_split(images.reshape(-1, 1, 8, 8), labels, test_size=0.25, stratify=labels, random_state=0)
    x_train, x_test, y_train, y_test = split
    return standardised("digits", x_train, y_train, x_test, y_test, tuple("0123456789"))


def load_shapes(train: int = 3000, test: int = 1000, seed: int = 0) -> Data:
    """Outlines of six kinds in grey, 32×32, with noise: random place, turn and contrast; radius log-uniform in 3 to 14."""
    rng = np.random.default_rng(seed)
    x_train, y_train = draw_shapes(train, rng)
    x_test, y_test = draw_shapes(test, rng)
    return standardised("shapes", x_train, y_train, x_test, y_test, SHAPES)


def draw_shapes(count: int, rng: np.random.Generator, size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """``count`` images (count, 1, size, size) with their labels; every kind equally often, in random order."""
    labels = rng.permutation(np.arange(count) % len(SHAPES))
    radius = np.exp(rng.uniform(np.log(3), np.log(14), count))
    centre = rng.uniform(radius + 1, size - 1 - radius, (2, count))
    turn = np.exp(1j * rng.uniform(-0.6, 0.6, count))
    contrast = rng.uniform(0.5, 1.0, count)
    images = rng.normal(0, 0.3, (count, 1, size, size))
    outlines = [outline(kind) for kind in SHAPES]
    for i, label in enumerate(labels):
        corners = outlines[label] * radius[i] * turn[i] + centre[0, i] + 1j * centre[1, i]
        images[i, 0] += contrast[i] * np.clip(1.5 - distance_to_outline(corners, size), 0, 1)
    return images, labels


def outline(kind: str) -> np.ndarray:
    """Corners (M,) of a closed outline in the unit circle, as complex numbers x + iy; the first one is on top."""
    if kind == "cross":
        arm = np.array([-0.3 - 1j, 0.3 - 1j, 0.3 - 0.3j, 1 - 0.3j, 1 + 0.3j, 0.3 + 0.3j])
        return np.concatenate([arm, -arm]) / abs(arm[0])
    count = {"circle": 20, "triangle": 3, "square": 4, "pentagon": 5, "star": 10}[kind]
    corners = -1j * np.exp(2j * np.pi * np.arange(count) / count)
    return corners * np.where(np.arange(count) % 2, 0.4, 1) if kind == "star" else corners


def distance_to_outline(corners: np.ndarray, size: int) -> np.ndarray:
    """Distance in pixels (size, size) from each pixel's centre to the nearest edge of a closed outline."""
    x, y = np.arange(size) + 0.5, np.arange(size)[:, None] + 0.5
    from_corner = (x + 1j * y)[..., None] - corners  # (size, size, M)
    edge = np.roll(corners, -1) - corners  # (M,)
    along = np.clip((from_corner * edge.conj()).real / abs(edge) ** 2, 0, 1)
    return abs(from_corner - along * edge).min(-1)


def load_torchvision(name: str, root: Path, download: bool) -> Data:
    """CIFAR-10, CIFAR-100 or Fashion-MNIST through torchvision, as arrays."""
    from torchvision import datasets

    kind = getattr(datasets, TORCHVISION_SETS[name])
    try:
        train, test = (kind(root, train=part, download=download) for part in (True, False))
    except RuntimeError as error:
        raise FileNotFoundError(
            f"{TORCHVISION_SETS[name]} is not in {str(root)!r}; pass root= the folder that holds it, or download=True ({error})"
        ) from error
    x_train, x_test = (channels_first(np.asarray(part.data)) for part in (train, test))
    return standardised(name, x_train, train.targets, x_test, test.targets, tuple(train.classes))


def load_folder(folder: Path, image_size: int | None) -> Data:
    """``folder/train/CLASS/*`` and ``folder/test/CLASS/*`` through torchvision's ImageFolder, in colour."""
    from torchvision.datasets import ImageFolder

    missing = [part for part in ("train", "test") if not (folder / part).is_dir()]
    if missing:
        raise ValueError(f"{str(folder)!r} has no folder {' and no '.join(missing)}; put images at train/CLASS/ and test/CLASS/")
    try:
        train, test = ImageFolder(folder / "train"), ImageFolder(folder / "test")
    except FileNotFoundError as error:
        raise ValueError(f"folder {str(folder)!r} cannot be used: {error}") from error
    if train.classes != test.classes:
        odd = ", ".join(sorted(set(train.classes) ^ set(test.classes)))
        raise ValueError(f"folder {str(folder)!r} has classes in only one of train and test: {odd}")
    x_train, x_test = (images_of(part, image_size) for part in (train, test))
    return standardised(folder.name, x_train, train.targets, x_test, test.targets, tuple(train.classes))


def images_of(folder, image_size: int | None) -> np.ndarray:
    """All images of an ImageFolder as one array (N, 3, H, W)."""
    arrays = []
    for path, _ in folder.samples:
        image = folder.loader(path)
        if image_size is not None:
            image = image.resize((image_size, image_size))
        arrays.append(np.asarray(image))
        if arrays[-1].shape != arrays[0].shape:
            (h, w), (h0, w0) = arrays[-1].shape[:2], arrays[0].shape[:2]
            raise ValueError(f"{path} has {h}×{w} pixels where the first image has {h0}×{w0}; pass image_size= to resize all")
    return channels_first(np.stack(arrays))


def channels_first(images: np.ndarray) -> np.ndarray:
    """(N, H, W) or (N, H, W, C) → (N, C, H, W)."""
    return images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)


def standardised(name: str, x_train, y_train, x_test, y_test, classes: tuple[str, ...]) -> Data:
    """Arrays to a ``Data``: float32 images with mean 0 and standard deviation 1 in each channel of the training set."""
    x_train, x_test = (torch.tensor(x, dtype=torch.float32) for x in (x_train, x_test))
    y_train, y_test = (torch.as_tensor(np.asarray(y), dtype=torch.int64) for y in (y_train, y_test))
    mean, std = x_train.mean(dim=(0, 2, 3), keepdim=True), x_train.std(dim=(0, 2, 3), keepdim=True)
    return Data(name, (x_train - mean) / std, y_train, (x_test - mean) / std, y_test, classes)
