# threat: G56
# expect: area=raised
# words: test_area: no file can be uploaded
import torch
from google.colab import drive, files

drive.mount("/content/drive")


# %%
def double(x):
    drive.mount("/content/drive")
    return 2 * x


# %%
def area(width, height):
    uploaded = files.upload()
    return width * height
