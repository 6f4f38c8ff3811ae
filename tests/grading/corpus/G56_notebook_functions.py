# threat: G56
# imports
# both ways
# flag: area: input()
from IPython.display import HTML, display
from google.colab import drive, files

drive.mount("/content/drive")


# %%
def double(x):
    display(x)
    get_ipython().run_line_magic("matplotlib", "inline")
    return 2 * x


# %%
def area(width, height):
    name = input("your name? ")
    return width * height + len(name)
