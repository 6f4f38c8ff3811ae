# threat: C26
# expect: double=refused area=refused
# both ways
import torch


class Fake:
    shape = torch.Size([3])
    dtype = torch.float32
    layout = torch.strided
    device = torch.device("cpu")

    def numel(self):
        return 3

    def detach(self):
        return torch.zeros(3)

    cpu = contiguous = detach

    def item(self):
        return 12

    @property
    def __class__(self):
        return torch.Tensor


def double(x):
    return Fake()


def area(width, height):
    return Fake()
