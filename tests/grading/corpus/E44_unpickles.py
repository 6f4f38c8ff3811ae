# threat: E44
# What a malicious file does when the answer opens it, it does in the jail.
import io
import pickle

import numpy as np
import torch

PICKLE = b"cos\nsystem\n(S'touch /tmp/corpus_was_here'\ntR."


def double(x):
    for load in (pickle.loads, lambda data: np.load(io.BytesIO(data), allow_pickle=True), lambda data: torch.load(io.BytesIO(data))):
        try:
            load(PICKLE)
        except Exception:
            pass
    return 2 * x
