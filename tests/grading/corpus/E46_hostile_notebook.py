# threat: E46
# expect: double=raised
# words: test_double: NameError
# %% [markdown]
# <script>corpus()</script>
# # =HYPERLINK("http://example.org")

# %%
def double(x):
    return corpus_script  # </pre><script>corpus()</script>
