# threat: G55
# Its own imports are part of an answer: without them it does not work in the notebook either.
# as it is
# expect: double=passed area=passed Scale=raised
# words: test_scale: name 'nn' is not defined
# flag: Scale: no cell defines nn
# both ways
def double(x):
    return 2 * x


def area(width, height):
    return width * height


# %%
class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return self.factor * x
