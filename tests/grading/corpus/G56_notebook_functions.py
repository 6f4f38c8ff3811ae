# threat: G56
# both ways
# flag: area: input()
import IPython
import matplotlib.pyplot as plt
import tqdm.auto
from IPython.core.magic import register_line_magic
from IPython.display import HTML, clear_output, display
from ipywidgets import interact
from tqdm.notebook import tqdm as progress
from tqdm.auto import trange
from google.colab import drive, files

drive.mount("/content/drive")


# %%
def double(x):
    display(x)
    IPython.display.display(HTML("<b>x</b>"))
    clear_output(wait=True)
    plt.ion()
    plt.figure()
    plt.show()
    with tqdm.tqdm(total=2, desc="doubling") as bar:
        for _ in progress(list(trange(2, leave=False))):
            bar.update(1)
            bar.set_postfix(done=1)
    if len(progress([1, 2, 3])) != 3 or sum(tqdm.auto.trange(4)) != 6:
        return x
    get_ipython().run_line_magic("matplotlib", "inline")
    return 2 * x


# %%
@register_line_magic
def shown(line):
    return line


@interact(width=(1, 5))
def slide(width=2):
    return width


def area(width, height):
    slide, shown
    name = input("your name? ")
    return width * height + len(name)
