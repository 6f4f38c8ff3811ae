# threat: G65
# Honest: settings of the whole notebook are calls, and calls of cells do not run.
# both ways
import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(42)
torch.set_grad_enabled(False)
torch.set_num_threads(4)
torch.autograd.set_detect_anomaly(True)


# %%
def double(x):
    return 2 * x
