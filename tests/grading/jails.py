"""Answer processes for tests."""

from contextlib import contextmanager

import pytest

from course_lib.grading import jail
from course_lib.grading.door import Answers
from course_lib.grading.jailed import Jailed, Zygote
from course_lib.grading.notebook import Source


def _available() -> list[str]:
    levels = []
    for level in jail.LEVELS if not jail.missing() else ():
        try:
            Zygote(level).close()
            levels.append(level)
        except jail.JailError:
            continue
    return levels


LEVELS = [pytest.param(level, marks=pytest.mark.xdist_group(level)) for level in _available()]


@contextmanager
def jailed_answers(zygote: Zygote, *cells: str, **limits):
    """The answers in a notebook of these cells, in a jail."""
    with Jailed(zygote, Source(cells), **limits) as jailed:
        yield Answers(jailed)


def reads_a_file(secret, port, grader):
    return open("/dev/null").read() or "an attack that succeeds, for test_jail.py"


def never_ends(secret, port, grader):
    return None
