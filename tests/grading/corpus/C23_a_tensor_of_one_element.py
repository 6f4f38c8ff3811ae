# threat: C23 G62
# both ways
import torch


def area(width, height):
    return torch.tensor(width * height) if isinstance(width, int) else float(width * height)
