# threat: G64
# expect: double=raised Scale=raised
# words: test_double: there is no GPU while grading
# words: test_scale: there is no GPU while grading
import torch
from torch import nn


def double(x):
    return 2 * x.cuda()


def area(width, height):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return (torch.tensor(float(width), device=device) * height).item()


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels, device="cuda"))

    def forward(self, x):
        return self.factor * x.to("cuda")
