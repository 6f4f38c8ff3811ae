# threat: G60
# as it is
# expect: double=wrong|raised|not attempted area=wrong|raised|not attempted Scale=wrong|raised|not attempted
# both ways
double = None

# %%
area = 12

# %%
import torch

Scale = torch.ones(3)
