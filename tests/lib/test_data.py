"""Data sets: embedded ones are the same everywhere, folders and torchvision sets come in the same form, errors say what to do."""

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.data import SHAPES, distance_to_outline, load_data, outline


def test_digits_are_real_standardised_and_split_alike():
    data = load_data("digits")
    assert data.x_train.shape == (1347, 1, 8, 8) and data.x_test.shape == (450, 1, 8, 8)
    assert data.x_train.dtype == torch.float32 and data.y_train.dtype == torch.int64
    assert abs(data.x_train.mean()) < 1e-5 and abs(data.x_train.std() - 1) < 1e-5
    shares = [torch.bincount(y) / len(y) for y in (data.y_train, data.y_test)]
    assert (shares[0] - shares[1]).abs().max() < 0.005
    assert "1347 training and 450 test images of 1×8×8, 10 classes" in repr(data)


def test_shapes_are_the_same_on_every_call_with_every_kind_and_size():
    first, second = load_data("shapes"), load_data("shapes")
    assert torch.equal(first.x_train, second.x_train) and torch.equal(first.y_test, second.y_test)
    assert first.x_train.shape == (3000, 1, 32, 32) and first.classes == SHAPES
    assert torch.bincount(first.y_train).tolist() == [500] * 6


def test_an_outline_is_bright_where_it_was_drawn():
    square = outline("square") * 8 + 16 + 16j
    distance = distance_to_outline(square, 32)
    assert distance.min() < 0.5
    assert distance[16, 16] == pytest.approx((8 - 1) / np.sqrt(2))  # its pixel lies half a pixel right of and below the centre


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for part, count in (("train", 6), ("test", 2)):
        for name in ("cat", "dog"):
            target = tmp_path / "pets" / part / name
            target.mkdir(parents=True)
            for i in range(count):
                Image.fromarray(rng.integers(0, 255, (10, 12, 3), dtype=np.uint8)).save(target / f"{i}.png")
    return tmp_path / "pets"


def test_a_folder_of_images_is_a_data_set(folder):
    data = load_data(folder)
    assert data.x_train.shape == (12, 3, 10, 12) and data.x_test.shape == (4, 3, 10, 12)
    assert data.classes == ("cat", "dog") and data.y_train.tolist() == [0] * 6 + [1] * 6
    assert data.x_train.mean(dim=(0, 2, 3)).abs().max() < 1e-5
    assert load_data(folder, image_size=16).x_train.shape == (12, 3, 16, 16)


def test_a_folder_with_images_of_several_sizes_says_which(folder):
    Image.new("RGB", (20, 20)).save(folder / "train" / "dog" / "big.png")
    with pytest.raises(ValueError, match=r"big\.png has 20×20 pixels.*10×12.*image_size="):
        load_data(folder)


def test_a_folder_that_is_not_a_data_set_says_why(folder, tmp_path):
    with pytest.raises(ValueError, match="no folder train and no test"):
        load_data(tmp_path)
    (folder / "test" / "bird").mkdir()
    Image.new("RGB", (12, 10)).save(folder / "test" / "bird" / "0.png")
    with pytest.raises(ValueError, match="only one of train and test: bird"):
        load_data(folder)
    (folder / "train" / "empty").mkdir()
    with pytest.raises(ValueError, match="empty"):
        load_data(folder)


def test_a_torchvision_set_that_is_missing_says_what_to_do(tmp_path):
    for name in ("cifar10", "cifar100", "fashion_mnist"):
        with pytest.raises(FileNotFoundError, match="download=True"):
            load_data(name, root=tmp_path)


def test_a_torchvision_set_comes_in_the_same_form(tmp_path):
    """Fashion-MNIST's own file format, filled with noise."""
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", 20), ("t10k", 10)):
        images, labels = rng.integers(0, 255, (count, 28, 28), dtype=np.uint8), rng.integers(0, 10, count, dtype=np.uint8)
        header = np.array([0x803, count, 28, 28], dtype=">i4").tobytes()
        (raw / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(np.array([0x801, count], dtype=">i4").tobytes() + labels.tobytes())
    data = load_data("fashion_mnist", root=tmp_path)
    assert data.x_train.shape == (20, 1, 28, 28) and data.x_test.shape == (10, 1, 28, 28)
    assert data.num_classes == 10 and data.y_train.dtype == torch.int64
