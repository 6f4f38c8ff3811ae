"""Every graded test is tested: solutions pass, stubs count as not attempted, typical mistakes fail the test that names them.

A file of `wrong_answers/` is cut at its `# %%` lines. A section `# %% exercise | test | words` replaces that answer of the
solution; the named test must fail with the words in its message, and nothing else of the notebook may suffer. A section
`# %% exercise | right` is another right answer.

A grading run takes half a second, so sections share runs: a submission has one section for each of most exercises, and the
solution's answer for at least one. That one must pass whatever is wrong beside it.
"""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from course_lib.grading import Result, grade_source, run
from course_lib.grading.notebook import nearest, read_notebook
from course_lib.grading.verify import sections

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted(path.stem for path in Path(__file__).with_name("wrong_answers").glob("*.py"))


class Variant(NamedTuple):
    """One section of a file of wrong answers."""

    chapter: str
    line: int
    exercise: str
    test: str  # that fails; "" for a right answer
    words: str
    code: str


def test_an_exercise_has_a_name_of_its_own_among_all_chapters():
    """A hand-in answers the chapters whose exercises it defines: a name of two would give its student a chapter to fail."""
    names = [name for file in run.tests_folder().glob("test_*.py") for name in run.exercises(file)]
    assert not [name for name, count in Counter(names).items() if count > 1]


def variants(chapter: str) -> list[Variant]:
    file = Path(__file__).with_name("wrong_answers") / f"{chapter}.py"
    return [Variant(chapter, *section) for section in sections(file)]


@cache
def submissions(chapter: str) -> list[dict[str, Variant]]:
    """As few submissions as use every section once, with at most one for each exercise and none for one or more exercises."""
    found = sorted(variants(chapter), key=lambda variant: variant.exercise)
    sizes = Counter(variant.exercise for variant in found)
    made: list[dict[str, Variant]] = [{} for _ in range(max(*sizes.values(), -(-len(found) // (len(sizes) - 1))))]
    for place, variant in enumerate(found):  # an exercise's sections follow each other, so no submission gets two of them
        made[place % len(made)][variant.exercise] = variant
    return made


@cache
def grade_submission(chapter: str, number: int) -> dict[str, Result]:
    sections = [variant.code for variant in submissions(chapter)[number].values()]
    return grade(chapter, "\n\n".join([notebook("solutions", chapter), *sections]))


def results_of(variant: Variant) -> dict[str, Result]:
    """Results of the submission with this section; what is wrong in it has done no harm to the solution's other answers."""
    number, made = next((n, made) for n, made in enumerate(submissions(variant.chapter)) if variant in made.values())
    results = grade_submission(variant.chapter, number)
    others = [result for result in results.values() if result.exercise not in made]
    assert others
    assert {result.test: result.message for result in others if result.outcome != "passed"} == {}
    return results


def notebook(folder: str, chapter: str) -> str:
    cells = json.loads((ROOT / folder / f"{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def grade(chapter: str, source: str) -> dict[str, Result]:
    return grade_source(source, ROOT / "tests" / "exercises" / f"test_{chapter}.py")


@cache
def graded_tests(chapter: str) -> dict[str, Result]:
    return grade(chapter, notebook("exercises", chapter))


# Neighbours share a submission, so that it is graded once where tests run in several processes.
VARIANTS = [variant for chapter in CHAPTERS for made in submissions(chapter) for variant in made.values()]
WRONG = [variant for variant in VARIANTS if variant.test]
RIGHT = [variant for variant in VARIANTS if not variant.test]


def label(variant: Variant) -> str:
    return f"{variant.chapter}:{variant.line}-{variant.exercise}"


def test_every_chapter_with_exercises_has_wrong_answers():
    assert [path.stem for path in sorted((ROOT / "solutions").glob("*.ipynb"))] == CHAPTERS


def test_no_name_in_a_solution_looks_like_a_slip_of_another_exercise():
    known = set().union(*map(run.exercises, (ROOT / "tests" / "exercises").glob("test_*.py")))
    for chapter in CHAPTERS:
        names = read_notebook(ROOT / "solutions" / f"{chapter}.ipynb").names - known
        assert {exercise: nearest(exercise, names) for exercise in known if nearest(exercise, names)} == {}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_solution_passes_everything(chapter):
    results = grade(chapter, notebook("solutions", chapter))
    assert {name: result.message for name, result in results.items() if result.outcome != "passed"} == {}
    assert sum(result.points for result in results.values()) == 20


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_stubs_count_as_not_attempted(chapter):
    results = graded_tests(chapter)
    assert {name: result.outcome for name, result in results.items() if result.outcome != "not attempted"} == {}
    assert sum(result.points for result in results.values()) == 20


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_test_has_a_hint_and_a_title(chapter):
    for name, result in graded_tests(chapter).items():
        assert result.hint and result.title and result.title != name, name


@pytest.mark.parametrize("variant", WRONG, ids=label)
def test_a_wrong_answer_fails_the_test_that_names_it_and_no_other_exercise(variant):
    results = results_of(variant)
    found = results[variant.test]
    assert found.exercise == variant.exercise
    assert found.outcome in ("wrong", "raised"), f"{variant.test}: {found.outcome} {found.message}"
    assert variant.words in found.message
    outcomes = {result.outcome for result in results.values() if result.exercise == variant.exercise}
    assert outcomes <= {"passed", "wrong", "raised"}


@pytest.mark.parametrize("variant", RIGHT, ids=label)
def test_another_right_answer_passes(variant):
    own = [result for result in results_of(variant).values() if result.exercise == variant.exercise]
    assert {result.test: result.message for result in own if result.outcome != "passed"} == {}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_test_is_failed_by_a_wrong_answer(chapter):
    named = {variant.test for variant in WRONG if variant.chapter == chapter}
    assert named == set(graded_tests(chapter))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_exercise_has_five_wrong_and_two_right_answers(chapter):
    exercises = {result.exercise for result in graded_tests(chapter).values()}
    wrong = Counter(variant.exercise for variant in WRONG if variant.chapter == chapter)
    right = Counter(variant.exercise for variant in RIGHT if variant.chapter == chapter)
    assert {name for name in exercises if wrong[name] < 5 or right[name] < 2} == set()
