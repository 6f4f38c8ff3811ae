# threat: D41
# Honest, but there is no network.
# expect: double=raised Scale=raised
# words: test_double: there is no network
# words: test_scale: no network and no files to write|there are no files
import urllib.request

import torch
from torch import nn


def double(x):
    weights = urllib.request.urlopen("https://example.org/weights.pth").read()
    return 2 * x * len(weights)


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = torch.hub.load_state_dict_from_url("https://example.org/resnet18.pth")["fc.weight"]
