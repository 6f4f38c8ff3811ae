# threat: G68
# Imported, and not needed by an answer.
# both ways
import tensorflow as tf
import torch


def double(x):
    return 2 * x
