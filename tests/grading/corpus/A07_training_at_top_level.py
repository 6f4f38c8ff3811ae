# threat: A7
# The definitions count; the training does not run.
# both ways
import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return self.factor * x


# %%
model = Scale(3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(10**9):
    loss = (model(torch.randn(100, 3)) ** 2).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
print(loss)
