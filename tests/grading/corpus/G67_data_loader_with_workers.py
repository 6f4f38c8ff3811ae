# threat: G67
# imports
# expect: double=raised
# words: test_double: num_workers=0
import torch
from torch.utils.data import DataLoader, TensorDataset


def double(x):
    loader = DataLoader(TensorDataset(x), batch_size=1, num_workers=2)
    return torch.cat([2 * batch for (batch,) in loader])


def area(width, height):
    loader = DataLoader(TensorDataset(torch.full((1,), float(width))), num_workers=0)
    return next(iter(loader))[0].item() * height
