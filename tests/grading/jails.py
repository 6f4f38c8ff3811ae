"""Answer processes for tests."""

from contextlib import contextmanager

from course_lib.grading.door import Answers
from course_lib.grading.jailed import Jailed
from course_lib.grading.notebook import Source
from course_lib.grading.processes import Zygote


@contextmanager
def jailed_answers(zygote: Zygote, *cells: str, **limits):
    """The answers in a notebook of these cells, in a jail."""
    with Jailed(zygote, Source(cells), **limits) as jailed:
        yield Answers(jailed)


def reads_a_file(secret, port, grader):
    return open("/dev/null").read() or "an attack that succeeds, for test_jail.py"


def never_ends(secret, port, grader):
    return None
