# threat: E42
# expect: double=raised area=raised
import json

from torch import nn


def double(x):
    with open("RESULTS_FILE", "a") as file:
        file.write(json.dumps({"student": "corpus", "points": 20, "outcome": "passed"}) + "\n")
    return x


def area(width, height):
    open("RESULTS_FILE", "w").close()
