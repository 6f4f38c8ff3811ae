"""Batches made where the network is: the images lie on the device once, and each batch is cropped and mirrored there at once."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.data import Data
from course_lib.scale.recipe import Recipe

NOT_MIRRORED = ("digits",)  # the mirror image of a 2 is no 2


class Batches:
    """The training batches of a run by number: the same number gives the same batch, whatever was asked for before.

    Order, crops and flips of an epoch are drawn from (seed, epoch) alone, so a run goes on anywhere, on any device, and each of
    several processes takes its share of the same batch. An epoch's last batch goes on into the next epoch.

    Args:
        share: (rank, processes): which part of each batch this process takes.
    Raises:
        ValueError: if a batch is larger than the data, or falls into no equal shares.
    """

    def __init__(self, data: Data, recipe: Recipe, seed: int, device: torch.device, share: tuple[int, int] = (0, 1)):
        self.images, self.labels = centred(data.x_train, data, recipe).to(device), data.y_train.to(device)
        self.size, self.seed, self.share = recipe.batch_size, seed, share
        self.pad = round(recipe.pad * data.x_train.shape[-1] / 32)
        self.flip = recipe.flip and data.name not in NOT_MIRRORED
        self.drawn: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        count, (_, processes) = len(data.x_train), share
        if self.size > count:
            raise ValueError(f"batch_size={self.size} of recipe {recipe.name} is more than the {count} images of {data.name}")
        if self.size % processes:
            raise ValueError(f"batch_size={self.size} of recipe {recipe.name} cannot be shared by {processes} processes alike")

    def __call__(self, iteration: int) -> tuple[Tensor, Tensor]:
        """This process's part of batch ``iteration``: images (n, C, H, W), channels-last, and labels (n,)."""
        rank, processes = self.share
        part = self.size // processes
        first = iteration * self.size + rank * part
        epoch, start = divmod(first, len(self.images))
        rows = [column[start : start + part] for column in self.epoch(epoch)]
        if len(rows[0]) < part:
            rest = part - len(rows[0])
            rows = [torch.cat((row, column[:rest])) for row, column in zip(rows, self.epoch(epoch + 1), strict=True)]
        order, shift, mirror = rows
        return crop(self.images[order], shift, mirror, self.pad), self.labels[order]

    def epoch(self, epoch: int) -> tuple[Tensor, Tensor, Tensor]:
        """What is drawn for each place of an epoch: image (N,), shift down and right (N, 2) in 0…2·pad, mirrored or not (N,)."""
        if epoch not in self.drawn:
            rng, count, device = np.random.default_rng((self.seed, epoch)), len(self.images), self.images.device
            order = torch.from_numpy(rng.permutation(count)).to(device)
            shift = torch.from_numpy(rng.integers(0, 2 * self.pad + 1, (count, 2))).to(device)
            mirror = torch.from_numpy((rng.random(count) < 0.5) & self.flip).to(device)
            self.drawn = {number: rows for number, rows in self.drawn.items() if number == epoch - 1}
            self.drawn[epoch] = order, shift, mirror
        return self.drawn[epoch]


def crop(images: Tensor, shift: Tensor, mirror: Tensor, pad: int) -> Tensor:
    """Pad images (N, C, H, W) with zeros, cut (H, W) out at each one's ``shift`` and mirror some: one gather for the batch."""
    count, channels, height, width = images.shape
    device = images.device
    rows = shift[:, :1] + torch.arange(height, device=device)  # (N, H)
    along = torch.arange(width, device=device)
    columns = shift[:, 1:] + torch.where(mirror[:, None], width - 1 - along, along)  # (N, W)
    one = torch.arange(count, device=device)[:, None, None]
    channels_last = F.pad(images, (pad,) * 4).permute(0, 2, 3, 1)
    return channels_last[one, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def centred(images: Tensor, data: Data, recipe: Recipe) -> Tensor:
    """Images (N, C, H, W) of this data as the recipe wants them; ``Data`` holds them standardised by channel."""
    return images if recipe.centre == "channel" else images - data.x_train.mean(0)
