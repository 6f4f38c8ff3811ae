"""The quizzes in a browser: every answer of every question, what a reader types, what is kept, and the page without scripts."""

import re

import pytest

from course_lib.quizzes import Quiz, names

QUIZZES = {name: Quiz(name) for name in names()}
PAGE = "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>page</title>{}</html>"

# Gives every answer to every question of a page, one after the other, and notes what is said: [[[text, …], …], …].
ANSWER_ALL = """() => [...document.querySelectorAll("course-quiz")].map((quiz) =>
[...quiz.querySelectorAll("fieldset")].map((field) => {
  const [entry] = field.querySelectorAll("input[type=text]"), boxes = [...field.querySelectorAll("input:not([type=text])")];
  const status = field.querySelector("[role=status]"), button = field.querySelector("button");
  const check = () => { button.click(); return status.textContent; };
  const only = (places) => { boxes.forEach((box, i) => { if (box.checked !== places.includes(i) && (box.type === "checkbox" ||
    places.includes(i))) box.click(); }); return check(); };
  return entry ? entry.dataset.values.split(" ").map((value) => { entry.value = value; return check(); })
    : [...boxes.map((_, i) => only([i])), boxes[0].type === "checkbox" ? only(JSON.parse(field.dataset.right)) : ""];
}))"""
SCORES = "() => [...document.querySelectorAll('.score')].map((score) => score.textContent)"


@pytest.fixture
def show(chromium, tmp_path):
    """``show(quiz, …)`` opens a page with quizzes from a file, where a browser has storage; at the end there was no error."""
    opened, problems = [], []

    def open_page(*quizzes: str, **options):
        file = tmp_path / "page.html"
        file.write_text(PAGE.format("".join(QUIZZES[name]._repr_html_() for name in quizzes)), encoding="utf-8")
        context = chromium.new_context(viewport={"width": 390, "height": 800}, **options)
        page = context.new_page()
        page.on("console", lambda message: message.type == "error" and problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(file.as_uri())
        opened.append(context)
        return page

    yield open_page
    for context in opened:
        context.close()
    assert not problems


def plain(text: str) -> str:
    return text.replace("`", "")


def rights(question: dict) -> list[int]:
    return [i for i, option in enumerate(question["options"]) if option.get("right")]


def test_every_answer_of_every_quiz_gets_its_own_feedback_and_no_other(show):
    page = show(*names())
    hidden = page.content()
    for quiz, element in zip(QUIZZES.values(), page.locator("course-quiz").all(), strict=True):
        for question, field in zip(quiz.questions, element.locator("fieldset").all(), strict=True):
            if "options" in question:
                field.evaluate("(field, right) => { field.dataset.right = JSON.stringify(right); }", rights(question))
            else:
                values = [question["answer"], *(wrong["value"] for wrong in question["wrong"]), 7654321]
                field.locator("input").evaluate("(input, text) => { input.dataset.values = text; }", " ".join(map(str, values)))
    for quiz, said in zip(QUIZZES.values(), page.evaluate(ANSWER_ALL), strict=True):
        for question, told in zip(quiz.questions, said, strict=True):
            place = f"{quiz.name}, {question['id']}"
            assert not re.search("[0-9] [%±]|± [0-9]", " ".join(told)), f"{place}: a line can tear a number from its sign"
            told = [text.replace("\N{NO-BREAK SPACE}", " ") for text in told]
            if "options" in question:
                right = rights(question)
                feedback = [plain(option["feedback"]) for option in question["options"]]
                for i, text in enumerate(told[:-1]):
                    alone = right == [i]
                    part = i in right and not alone
                    assert text.startswith("✓ Right: " if alone else "✗ Not yet: "), place
                    assert ("there is more" if part else feedback[i]) in text, place
                    assert not [one for j, one in enumerate(feedback) if j != i and one in text], place
                if question.get("several"):
                    assert told[-1].startswith("✓ Right: ") and all(feedback[i] in told[-1] for i in right), place
            else:
                expected = [question["right"], *(wrong["feedback"] for wrong in question["wrong"]), question["otherwise"]]
                for i, (text, one) in enumerate(zip(told, expected, strict=True)):
                    assert text.startswith("✓ Right: " if i == 0 else "✗ Not yet: "), place
                    assert plain(one) in text, place
            for text in (text for text in told if len(text) > 80):
                assert re.sub("^. (Right|Not yet): ", "", text) not in hidden, f"{place}: told before it was asked"
    counts = [len(quiz.questions) for quiz in QUIZZES.values()]
    assert page.evaluate(SCORES) == [f"{n} of {n} answered right, on this device only." for n in counts]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    unnamed = "[...document.querySelectorAll('input')].filter((one) => !one.labels.length).length"
    assert page.evaluate(unnamed) == 0 and page.locator("fieldset:not(:has(> legend:first-child))").count() == 0


def test_progress_outlives_a_reload_and_can_be_cleared(show):
    """By keyboard, with one quiz twice on the page and another beside it."""
    page = show("02_residuals", "03_inception")
    quiz, other = page.locator("course-quiz").all()
    field = quiz.locator("fieldset")
    right = rights(QUIZZES["02_residuals"].questions[0])[0]
    field.nth(0).locator("input").first.press("Space")
    for _ in range(right):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    field.nth(1).locator("input").press_sequentially("147,456")
    page.keyboard.press("Enter")
    assert "Not yet: That is the 3×3 alone." in field.nth(1).inner_text()
    field.nth(2).get_by_role("button").click()
    assert "Choose an answer first." in field.nth(2).inner_text()
    page.reload()
    assert field.nth(0).locator("input").nth(right).is_checked() and "✓ answered right" in field.nth(0).inner_text()
    assert field.nth(1).locator("input").input_value() == "147,456"
    assert "Not yet: That is the 3×3 alone." in field.nth(1).inner_text()
    assert field.nth(2).locator("[role=status]").inner_text() == ""
    assert page.evaluate(SCORES) == ["1 of 6 answered right, on this device only.", "0 of 5 answered right, on this device only."]
    field.nth(0).locator("input").nth((right + 1) % 4).check()  # to read why not
    assert field.nth(0).locator("[role=status]").inner_text() == "", "the feedback was that of another choice"
    field.nth(0).get_by_role("button").click()
    for _ in range(2):
        assert "Not yet" in field.nth(0).inner_text() and "✓" not in field.nth(0).inner_text(), "two answers shown at once"
        assert page.evaluate(SCORES)[0].startswith("1 of 6")
        page.reload()
    quiz.get_by_role("button", name="Clear my answers").click()
    for _ in range(2):
        assert page.evaluate(SCORES)[0].startswith("0 of 6") and quiz.locator("input:checked").count() == 0
        assert "Not yet" not in quiz.inner_text() and field.nth(1).locator("input").input_value() == ""
        page.reload()


def test_what_a_reader_types_is_read_as_meant_and_said(show):
    page = show("02_residuals")
    question = QUIZZES["02_residuals"].questions[1]
    assert question["answer"] == 278528
    field = page.locator("fieldset").nth(1)
    same = "278528; 278,528;278 528;278\u202f528;278'528;278528 weights;278.528k;0.278528 M;2.78528e5"
    for text in same.split(";"):
        field.locator("input").fill(text)
        field.get_by_role("button").click()
        assert "✓ Right:" in field.inner_text(), text
    read_as = {
        "0,25": "0.25",
        "28,5": "28.5",
        "1,605": "1605",
        "1.605.632": "1,605,632",
        "1.605,5": "1605.5",
        "1,605.5": "1605.5",
    }
    expected = {text: f"(Read as {number}.)" for text, number in (read_as | {"28 %": "28", "1.6 M": "1,600,000"}).items()}
    expected |= dict.fromkeys(("1.605", "147999", "-5"), f"✗ Not yet: {question['otherwise']}")
    expected |= dict.fromkeys(("many", "1,60,5", "1 2", "3 or 4", "12 apples", ""), "Write one number")
    expected["279 k"] = "That is near; the exact number is asked for."
    for text, said in expected.items():
        field.locator("input").fill(text)
        field.get_by_role("button").click()
        told = field.locator("[role=status]").inner_text()
        assert said in told, text
        assert told.startswith("Write one" if said.startswith("Write one") else "✗ Not yet:"), text


def test_without_storage_it_works_and_says_so_and_a_broken_one_stays_readable(chromium):
    page = chromium.new_page()  # such a page has no storage, as a sandboxed frame of Colab
    quiz = QUIZZES["01_degradation"]
    broken = quiz._repr_html_().replace('data-quiz="', 'data-quiz="!')
    page.set_content(PAGE.format(quiz._repr_html_() + broken))
    page.locator("fieldset").first.locator("input").nth(rights(quiz.questions[0])[0]).check()
    page.get_by_role("button", name="Check question 1").click()
    assert page.locator(".score").inner_text() == "1 of 6 answered right, kept until you leave this page."
    second = page.locator("course-quiz").nth(1)
    assert second.locator("fieldset").count() == 0 and second.locator("ol > li").count() == len(quiz.questions)
    page.close()


def test_without_scripts_everything_is_readable(show):
    page = show(*names(), java_script_enabled=False)
    for quiz, element in zip(QUIZZES.values(), page.locator("course-quiz").all(), strict=True):
        read = element.inner_text()
        for question in quiz.questions:
            wanted = [question["question"], *(option["text"] for option in question.get("options", ())), question.get("unit", "")]
            assert all(plain(text) in read for text in wanted), quiz.name
    assert page.locator("button, input").count() == 0
