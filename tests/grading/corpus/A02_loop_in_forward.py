# threat: A2
# expect: Scale=time
# words: test_scale: reached its limit of 1 s of computing time
class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        while x.norm() >= 0:
            x = x * self.factor
