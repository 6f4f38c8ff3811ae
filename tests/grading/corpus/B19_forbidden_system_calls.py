# threat: B19 A9 D37
# expect: double=crash area=crash Scale=crash
# words: test_double: forbidden
# words: test_area: forbidden
import ctypes

from torch import nn

libc = ctypes.CDLL(None)


def double(x):
    return libc.ptrace(0, 0, 0, 0) and 2 * x


def area(width, height):
    return libc.process_vm_readv(GRADER_PID, None, 0, None, 0, 0) and width * height


class Scale(nn.Module):
    def __init__(self, channels):
        libc.unshare(0x10000000)
