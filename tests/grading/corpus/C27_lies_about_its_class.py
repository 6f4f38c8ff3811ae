# threat: C27
# expect: Scale=wrong
# both ways
# words: test_scale: expected a torch.nn.Module
from torch import nn


class Scale:
    def __init__(self, channels):
        pass

    @property
    def __class__(self):
        return nn.Linear

    def state_dict(self):
        return {}
