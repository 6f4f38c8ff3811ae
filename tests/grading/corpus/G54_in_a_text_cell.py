# threat: G54
# as it is
# expect: double=not attempted rest=passed
# flag: double: defined in a text cell
# both ways
# %% [markdown]
# def double(x):
#     return 2 * x

# %%
def area(width, height):
    return width * height


# %%
import torch


class Scale(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return self.factor * x
