"""Quizzes with feedback in the page, without a kernel: one for each chapter, a JSON file that an author edits.

A file holds a ``title`` and a list of ``questions``. Text may hold `code` between backticks. A question has an ``id`` of its own,
under which a reader's browser keeps the answer (change it when the question changes), its text as ``question``, and either

``options``
    a list of ``text``, ``feedback`` (why it is tempting and what contradicts it; for a right one, why it is right) and, for a
    right one, ``"right": true``. One option is right; with ``"several": true`` any number of them is, and readers tick boxes.

or a number as ``answer``, with
    ``unit`` (what is counted), ``tolerance`` (0.01 accepts one percent more or less; without it the number must be exact),
    ``right`` (feedback for the right answer), ``wrong`` (a list of typical wrong ``value`` and their ``feedback``) and
    ``otherwise`` (feedback for any other number).

``tests/lib/test_quizzes.py`` proves every numeric answer with the course's own code. Nothing here imports torch.
"""

import base64
import json
import re
from html import escape
from pathlib import Path

from course_lib.explorables import live

HERE = Path(__file__).parent
# What each object may hold: True, if it must.
QUIZ = {"title": True, "questions": True}
CHOICE = {"id": True, "question": True, "options": True, "several": False}
OPTION = {"text": True, "feedback": True, "right": False}
NUMBER = {
    "id": True,
    "question": True,
    "answer": True,
    "unit": True,
    "right": True,
    "wrong": True,
    "otherwise": True,
    "tolerance": False,
}
WRONG = {"value": True, "feedback": True}
TYPES = {"questions": list, "options": list, "wrong": list, "several": bool, "answer": float, "value": float, "tolerance": float}
NAMES = {str: "a text", list: "a list", bool: "true or false", float: "a number", dict: "an object in braces"}


def names() -> list[str]:
    """All quizzes, by the name of their chapter."""
    return sorted(file.stem for file in HERE.glob("*.json"))


class Quiz:
    """The quiz of one chapter, as the last line of a cell. Its text form is the questions.

    Args:
        name: one of ``names()``, such as "01_degradation".
    Raises:
        ValueError: if there is no quiz of that name, or its file is not what this module describes.
    """

    def __init__(self, name: str):
        if name not in names():
            raise ValueError(f"quiz {name!r} is unknown; the course has {', '.join(names())}")
        self.name = name
        quiz = read(HERE / f"{name}.json")
        self.title: str = quiz["title"]
        self.questions: list[dict] = quiz["questions"]

    def __repr__(self) -> str:
        lines = [self.title]
        for number, question in enumerate(self.questions, 1):
            lines += ["", f"{number}. {question['question']}{several(question)}"]
            box = "[ ]" if question.get("several") else "( )"
            lines += [f"   {box} {option['text']}" for option in question.get("options", ())]
            lines += [f"   ____ {question['unit']}"] if "answer" in question else []
        return "\n".join(lines).replace("`", "")

    def element(self) -> str:
        """The element with its questions, without scripts and style: what a page of the site holds.

        Answers and feedback lie encoded in an attribute, so that nobody reads them by accident.
        """
        secret = json.dumps({"name": self.name, "questions": [answers(question) for question in self.questions]})
        return (
            f'<course-quiz class="explorable course-quiz" data-quiz="{base64.b64encode(secret.encode()).decode()}">'
            f"<h3>{markup(self.title)}</h3><ol>{''.join(map(item, self.questions))}</ol></course-quiz>"
        )

    def _repr_html_(self) -> str:
        return live(self.element(), "quiz")


def several(question: dict) -> str:
    return " (Several answers are right.)" if question.get("several") else ""


def markup(text: str) -> str:
    """HTML of a text with `code`."""
    return re.sub("`(.*?)`", r"<code>\1</code>", escape(text))


def item(question: dict) -> str:
    """What readers see of a question, as an item of a list."""
    options = "".join(f"<li>{markup(option['text'])}</li>" for option in question.get("options", ()))
    fields = f"<ul>{options}</ul>" if options else f'<p class="unit">Answer: a number ({markup(question["unit"])}).</p>'
    return f"<li><p>{markup(question['question'] + several(question))}</p>{fields}</li>"


def answers(question: dict) -> dict:
    """What readers do not see of it."""
    if "options" in question:
        options = [{"right": option.get("right", False), "feedback": option["feedback"]} for option in question["options"]]
        return {"id": question["id"], "several": question.get("several", False), "options": options}
    kept = ("id", "answer", "unit", "right", "wrong", "otherwise")
    return {key: question[key] for key in kept} | {"tolerance": question.get("tolerance", 0)}


def read(file: Path) -> dict:
    """The quiz in a file.

    Raises:
        ValueError: with the file, the place and the remedy, if it is not what this module describes.
    """
    try:
        quiz = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as problem:
        raise ValueError(f"{file.name}, line {problem.lineno}: this is no JSON: {problem.msg}") from None
    check_keys(quiz, QUIZ, file.name)
    if not quiz["questions"]:
        raise ValueError(f"{file.name} has no questions; write at least one")
    seen = {}
    for number, question in enumerate(quiz["questions"], 1):
        place = f"{file.name}, question {number}"
        numeric = isinstance(question, dict) and "options" not in question
        check_keys(question, NUMBER if numeric else CHOICE, place)
        if not re.fullmatch("[a-z0-9-]+", question["id"]):
            raise ValueError(f"{place}: the id {question['id']!r} may hold small letters, digits and hyphens only")
        if question["id"] in seen:
            raise ValueError(f"{place}: question {seen[question['id']]} has the id {question['id']!r} already; give it another")
        seen[question["id"]] = number
        (check_number if numeric else check_options)(question, f"{place} ({question['id']})")
    return quiz


def check_keys(found: object, known: dict[str, bool], place: str) -> None:
    """All keys known, none missing, no text empty, every value of its kind."""
    if not isinstance(found, dict):
        raise ValueError(f"{place} must be an object in braces with {', '.join(known)}")
    if unknown := sorted(found.keys() - known.keys()):
        raise ValueError(f"{place}: unknown key {unknown[0]!r}; it may have {', '.join(known)}")
    if missing := [key for key, needed in known.items() if needed and key not in found]:
        raise ValueError(f"{place}: {missing[0]!r} is missing")
    for key, value in found.items():
        wanted = bool if key == "right" and known is OPTION else TYPES.get(key, str)
        fits = isinstance(value, (int, float) if wanted is float else wanted) and (wanted is bool or not isinstance(value, bool))
        if not fits:
            raise ValueError(f"{place}: {key!r} must be {NAMES[wanted]}, and is {json.dumps(value)}")
        if wanted is str and not value.strip():
            raise ValueError(f"{place}: {key!r} is empty; write it")
        if wanted is str and value.count("`") % 2:
            raise ValueError(f"{place}: {key!r} has a backtick without its other half")


def check_options(question: dict, place: str) -> None:
    for number, option in enumerate(question["options"], 1):
        check_keys(option, OPTION, f"{place}, option {number}")
    texts = [option["text"] for option in question["options"]]
    if len(texts) < 2 or len(set(texts)) < len(texts):
        raise ValueError(f"{place} needs two options at least, and no two alike")
    right = sum(option.get("right", False) for option in question["options"])
    if question.get("several"):
        if right in (0, len(texts)):
            raise ValueError(f'{place}: {right} of {len(texts)} options are right; mark some with "right": true, and not all')
    elif right != 1:
        raise ValueError(f'{place}: {right} options are right; mark one with "right": true, or write "several": true')


def check_number(question: dict, place: str) -> None:
    tolerance, taken = question.get("tolerance", 0), [("the answer", question["answer"])]
    if not 0 <= tolerance < 1:
        raise ValueError(f"{place}: the tolerance {tolerance} is no part of the answer; 0.01 means one percent")
    for number, wrong in enumerate(question["wrong"], 1):
        check_keys(wrong, WRONG, f"{place}, wrong value {number}")
        for name, value in taken:
            if abs(wrong["value"] - value) <= tolerance * (abs(wrong["value"]) + abs(value)):
                raise ValueError(
                    f"{place}: wrong value {wrong['value']} cannot be told from {name}, {value}, with this tolerance"
                )
        taken.append((f"wrong value {number}", wrong["value"]))
