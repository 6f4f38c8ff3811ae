# threat: C27
# expect: Scale=wrong
# both ways
import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.told = {}

    def state_dict(self, *_, **__):
        return {"factor": torch.ones(3)}

    def load_state_dict(self, state, *_, **__):
        self.told = state

    def named_parameters(self, *_, **__):
        return iter([("factor", self.weight)])

    def parameters(self, *_, **__):
        return iter([self.weight] * 100)

    def named_modules(self, *_, **__):
        return iter([("", self)])

    def forward(self, x):
        return self.weight * x
