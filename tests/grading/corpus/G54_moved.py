# threat: G54
# Below what uses it, with its imports at the end.
# flag: double: only defined in
# both ways
def double(x):
    return two() * x


# %%
two = F.two


# %%
class F:
    @staticmethod
    def two():
        return tensor(2.0)


# %%
from torch import tensor
