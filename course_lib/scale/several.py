"""One run on several devices or machines: what ``torchrun`` started joins here, and acts as one process would.

Every process takes its share of each batch. Gradients are averaged by ``DistributedDataParallel``; batch normalisation takes its
statistics over the whole batch, so that the curve is that of one process, to rounding. PyTorch's ``SyncBatchNorm`` does the
same, on GPUs alone.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from course_lib.training import pick_device


@dataclass(frozen=True)
class Team:
    """This process among those of the run."""

    rank: int
    processes: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes files and lines: one does."""
        return self.rank == 0

    def total(self, *values: float | Tensor) -> list[float]:
        """Each value, added up over all processes."""
        sums = torch.stack([torch.as_tensor(value, dtype=torch.float64, device="cpu") for value in values])
        if self.processes > 1:
            sums = sums.to(self.device)
            dist.all_reduce(sums)
        return sums.tolist()

    def from_leader(self, value: Any) -> Any:
        """What the leading process has, for all."""
        if self.processes == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def spread(self, model: nn.Module) -> nn.Module:
        """The model, ready to be trained by all processes together."""
        if self.processes == 1:
            return model
        for layer in model.modules():
            if type(layer) is nn.BatchNorm2d:
                layer.__class__ = BatchNormOverAll
        where = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=where, broadcast_buffers=False)


@contextmanager
def join(device: str | torch.device | None) -> Iterator[Team]:
    """The team that torchrun's variables describe, or this process alone; the device is this process's own.

    Raises:
        ValueError: if the device is not on this machine, or not every process of this machine has a GPU of its own.
        ConnectionError: if another process of the team has ended.
    """
    processes = int(os.environ.get("WORLD_SIZE", 1))
    chosen = pick_device(device)
    if processes == 1:
        yield Team(0, 1, chosen)
        return
    if chosen.type == "cuda":
        local, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= there:
            raise ValueError(f"process {local} has no GPU of its own: this machine has {there}; use --nproc-per-node={there}")
        chosen = torch.device("cuda", local)
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    team = Team(dist.get_rank(), processes, chosen)
    try:
        yield team
    except (dist.DistBackendError, dist.DistNetworkError) as error:
        raise ConnectionError(lost(team)) from error
    except RuntimeError as error:
        if "onnection" not in str(error):  # gloo has no type of its own for a peer that is gone
            raise
        raise ConnectionError(lost(team)) from error
    finally:
        dist.destroy_process_group()


def lost(team: Team) -> str:
    return f"another of the {team.processes} processes has ended, and process {team.rank} cannot go on alone"


class Summed(torch.autograd.Function):
    """The sum of a tensor over all processes; what flows back is summed too, as each process's loss depends on the sum."""

    @staticmethod
    def forward(ctx, part: Tensor) -> Tensor:
        whole = part.clone()
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        whole = grad.clone()
        dist.all_reduce(whole)
        return whole


class BatchNormOverAll(nn.BatchNorm2d):
    """Batch normalisation whose statistics in training are those of all processes' images: (N, C, H, W) stays.

    Statistics of half-precision maps are taken in float32, as by the layer that this one stands for.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        given, x = x.dtype, x.to(torch.promote_types(x.dtype, torch.float32))
        values = x.numel() // x.shape[1] * dist.get_world_size()
        mean = Summed.apply(x.sum((0, 2, 3))) / values
        centred = x - mean[:, None, None]
        variance = Summed.apply(centred.square().sum((0, 2, 3))) / values
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * values / (values - 1), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(given)
