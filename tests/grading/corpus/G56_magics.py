# threat: G56
# both ways
%matplotlib inline
!pip install -q somepackage
import torch
?torch.ones
torch.ones??
files = !ls
%load_ext autoreload
%autoreload 2

# %%
%%time
def double(x):
    return 2 * x

# %%
%%capture out
!wget https://example.org/data.zip \
   -O data.zip
%timeit -n 10 \
   double(torch.ones(3))

def area(width, height):
    return width * height

# %%
%%bash
rm -rf /
