"""What a student reads: for every exercise what is right, what is wrong and where to look, never the answer."""

import re
from pathlib import Path
from textwrap import wrap

from course_lib.grading.reports.page import name, page, words
from course_lib.grading.store import Mark, replace_file
from course_lib.grading.words import (
    ADVICE,
    FAILED,
    NAMES,
    SYMBOLS,
    TONES,
    chapter_name,
    clean,
    html,
    line,
    markdown,
    number,
)

STYLE = """
.score { font-size: 2.1rem; font-weight: 700; line-height: 1.2; margin: .75rem 0 .4rem; }
.score small { font-size: 1rem; font-weight: 400; }
.strip { height: .7rem; margin: .4rem 0 1rem; }
nav li { border-bottom: 1px solid var(--line); }
nav a { display: flex; gap: .6rem; align-items: baseline; padding: .55rem 0; text-decoration: none; color: var(--text); }
nav a code { color: var(--link); }
nav a:hover code, nav a:focus-visible code { text-decoration: underline; text-underline-offset: .35em; }
nav a .points, .head .points { margin-left: auto; white-space: nowrap; }
section { border: 1px solid var(--line); border-radius: .5rem; margin: 1rem 0; overflow: clip; }
.head h2 { font-size: 1.05rem; margin: 0; }
.head { display: flex; flex-wrap: wrap; gap: .6rem; align-items: baseline; background: var(--panel); padding: .6rem .9rem; }
section > ul { margin: 0; }
section > ul > li { display: grid; grid-template-columns: 1.5rem 1fr auto; column-gap: .3rem; padding: .55rem .9rem; }
section > ul > li + li { border-top: 1px solid var(--line); }
.sign { font-weight: 700; }
.more { grid-column: 2 / -1; }
.more p { margin: .3rem 0; }
.pill { display: inline-block; border-radius: 1rem; padding: 0 .6rem; font-size: .85rem; font-weight: 600; }
.pill.bad { background: var(--bad-back); }
.pill.none { background: var(--none-back); }
.pill.fault { background: var(--fault-back); }
.notice h2 { margin-top: 0; }
.hint { border-left: .2rem solid var(--link); padding-left: .6rem; }
"""


def feedback(marks: list[Mark], folder: Path) -> list[Path]:
    """Write ``feedback/<student>.html`` and ``.md`` for everyone with a hand-in; returns the files."""
    files = []
    for mark in marks:
        if mark.page:
            path = folder / mark.page
            for file, content in ((path, student_page(mark)), (path.with_suffix(".md"), student_markdown(mark).encode())):
                files.append(file)
                replace_file(file, content)
    return files


def student_page(mark: Mark) -> bytes:
    """One student's page."""
    chapters, exercises = _chapters(mark), _exercises(mark)
    title = f"Feedback: {', '.join(map(chapter_name, chapters))}" if chapters else "Feedback on your hand-in"
    parts = [f'<h1>{html(title)}</h1><p class="quiet">{name(mark.name)}{_about(mark, html)}</p>']
    parts.append(f'<p class="score">{html(_score(mark))}</p>' if mark.final is not None else "")
    if mark.comment:
        parts.append(f'<div class="notice" role="note"><h2>{COMMENT}</h2>{words(mark.comment)}</div>')
    if exercises:
        parts.append(_strip([row for rows in exercises.values() for row in rows]))
    no_zero = f"<p>{_NO_ZERO}</p>" if mark.final is None else ""
    for row in mark.rows:
        if not row["test"]:
            parts.append(f'<div class="notice fault" role="note"><h2>{_UNREAD}</h2>{words(unread(row, mark))}{no_zero}</div>')
    if mark.final is None and exercises:
        parts.append(f'<p class="notice fault">{_NO_TOTAL}</p>')
    if len(exercises) > 1:
        links = "".join(
            f'<li><a href="#e{n}"><span class="sign {_tone(rows)}" aria-hidden="true">{_sign(rows)}</span>'
            f'<code>{html(label)}</code><span class="points">{_points(rows)}</span></a></li>'
            for n, (label, rows) in enumerate(exercises.items())
        )
        parts.append(f'<nav aria-label="Exercises"><ul>{links}</ul></nav>')
    for n, (label, rows) in enumerate(exercises.items()):
        said: set[tuple[str, str]] = set()
        empty = all(row["outcome"] == "not attempted" for row in rows)
        pill = '<span class="pill none">not attempted</span>' if empty else ""
        items = "".join(_item(row, said, bare=empty) for row in rows)
        parts.append(
            f'<section id="e{n}"><div class="head"><h2><code>{html(label)}</code></h2>{pill}'
            f'<span class="points">{_points(rows)}</span></div><ul>{items}</ul></section>'
        )
    parts.append(f'<footer class="quiet small">{html(" · ".join(graded_how(mark.rows)))}</footer>')
    return page(f"{title}, {line(mark.name, 80)}", "\n".join(parts), STYLE)


def student_markdown(mark: Mark) -> str:
    """The same words in Markdown. Messages stand in indented code, which nothing in them can end."""
    chapters = _chapters(mark)
    lines = [f"# Feedback: {', '.join(markdown(chapter_name(chapter)) for chapter in chapters)}" if chapters else "# Feedback"]
    lines.append(f"For {markdown(line(mark.name, 80))}{_about(mark, markdown)}")
    if mark.final is not None:
        lines.append(f"**{_score(mark)}**")
    if mark.comment:
        lines += [f"**{COMMENT}:**", *_code(mark.comment)]
    for row in mark.rows:
        if not row["test"]:
            lines += [f"**{_UNREAD}**", *_code(unread(row, mark)), *([_NO_ZERO] if mark.final is None else [])]
    exercises = _exercises(mark)
    if mark.final is None and exercises:
        lines.append(_NO_TOTAL)
    for label, rows in exercises.items():
        lines.append(f"## `{label}`: {_points(rows)}")
        said: set[tuple[str, str]] = set()
        for row in rows:
            lines.append(f"{SYMBOLS[row['outcome']]} **{markdown(title_of(row))}** {_earned(row)}: {outcome_name(row)}")
            message, advice, hint = reason(row, said)
            lines += [message] if message == SAME else _code(message)
            lines += [*([markdown(advice)] if advice else []), *([f"Hint: {markdown(hint)}"] if hint else [])]
    lines += ["---", markdown(" · ".join(graded_how(mark.rows)))]
    return "\n\n".join(lines) + "\n"


def graded_how(rows: tuple[dict, ...]) -> list[str]:
    """How the results came about, for whoever wants to repeat them."""
    days = sorted({row["when"][:10] for row in rows if row.get("when")})
    texts = [f"Graded {' to '.join(dict.fromkeys((days[0], days[-1])))} (UTC)"] if days else []
    if any(row.get("jail") == "none" for row in rows):
        texts.append("without a jail: the submissions were trusted")
    for key, what in (("jail", "jail"), ("environment_hash", "environment")):  # not the seed: inputs could be learnt by heart
        if values := sorted({str(row[key])[:12] for row in rows if row.get(key) not in (None, "")}):
            texts.append(f"{what} {', '.join(values[:3])}{' …' if len(values) > 3 else ''}")
    return texts


COMMENT = "Your instructor writes"
SAME = "the same as above"
HINTED = ("wrong", "raised", "refused")
_UNREAD = "Your hand-in could not be graded"
_NO_ZERO = "You have no mark yet. This is no zero: hand in again as it says here, or ask your instructor."
_NO_TOTAL = "There is no total yet: something here could not be graded. This is no zero, and your instructor knows of it."


def _chapters(mark: Mark) -> list[str]:
    return list(dict.fromkeys(row["chapter"] for row in mark.rows if row["test"]))


def _exercises(mark: Mark) -> dict[str, list[dict]]:
    table: dict[str, list[dict]] = {}
    several = len(_chapters(mark)) > 1
    for row in mark.rows:
        if row["test"]:
            table.setdefault(f"{row['chapter']}: {row['exercise']}" if several else row["exercise"], []).append(row)
    return table


def _about(mark: Mark, escape) -> str:
    """Which files were read, and how late they came."""
    files = dict.fromkeys(row["hand_in"].replace("\\", "/").rpartition("/")[2] for row in mark.rows)
    return "".join(f" · {escape(line(text, 100))}" for text in (*files, mark.late) if text)


def _score(mark: Mark) -> str:
    given = ", as your instructor decided" if mark.manual is not None else ""
    return f"{number(mark.final)} of {number(mark.out_of)} points{given}"


def _earned(row: dict) -> str:
    return f"{number(row['points'] if row['outcome'] == 'passed' else 0)} of {number(row['points'])}"


def _points(rows: list[dict]) -> str:
    return f"{number(sum(r['points'] for r in rows if r['outcome'] == 'passed'))} of {number(sum(r['points'] for r in rows))}"


def _tone(rows: list[dict]) -> str:
    tones = [TONES.get(row["outcome"], "bad") for row in rows]
    return next((tone for tone in ("fault", "bad", "none") if tone in tones), "good")


def _sign(rows: list[dict]) -> str:
    return {"good": "✓", "bad": "✗", "none": "○", "fault": "!"}[_tone(rows)]


def is_not_run(row: dict) -> bool:
    """Whether the test was left out because one before it used up the time of their exercise."""
    return row["outcome"] == "time" and row["message"].startswith("not run")


def outcome_name(row: dict) -> str:
    return "not run" if is_not_run(row) else NAMES.get(row["outcome"], row["outcome"])


def title_of(row: dict) -> str:
    """What the test asks for; of a hidden test not even that."""
    if row.get("visibility") == "hidden":
        return "A hidden test"
    case = row["test"].partition("[")[2].removesuffix("]")
    return (row.get("title") or row["test"]) + (f" ({case})" if case else "")


def unread(row: dict, mark: Mark) -> str:
    """Why a hand-in could not be graded; also what to hand in instead, its last sentence, unless there is a mark by now."""
    return row["message"] if mark.manual is None else re.sub(r"\. [A-Z]((?!\. [A-Z])[^;])*(?=; |$)", "", row["message"])


def reason(row: dict, said: set[tuple[str, str]]) -> tuple[str, str, str]:
    """Message, advice and hint of a test; what an exercise has said once it does not say again."""
    outcome = row["outcome"]
    if outcome == "passed":
        return "", "", ""
    advice = ADVICE.get(outcome, "")
    if (outcome, advice) in said:
        advice = ""
    said.add((outcome, ADVICE.get(outcome, "")))
    if row.get("visibility", "visible") != "visible":
        return "", "The details of this test are not shown." if outcome in FAILED else advice, ""
    message = clean(row["message"])
    if message in (row.get("title"), f"not attempted: {row['exercise']}"):
        message = ""
    if message and (outcome, message) in said:
        return SAME, advice, ""  # one thing to mend: another hint would lead astray
    said.add((outcome, message))
    if outcome == "blocked" and message:
        advice = ""
    return message, advice, clean(row.get("hint") or "", 500) if outcome in HINTED else ""


def _item(row: dict, said: set[tuple[str, str]], bare: bool) -> str:
    outcome, tone = row["outcome"], TONES.get(row["outcome"], "bad")
    item = f'<span class="sign {tone}" aria-hidden="true">{SYMBOLS[outcome]}</span><span>{html(title_of(row))}</span>'
    item += f'<span class="points quiet small">{_earned(row)}</span>'
    if outcome == "passed" or bare:
        return f"<li>{item}</li>"
    message, advice, hint = reason(row, said)
    more = f'<span class="pill {tone}">{html(outcome_name(row))}</span>' + (words(message) if message else "")
    more += f"<p>{html(advice)}</p>" if advice else ""
    more += f'<p class="hint">Hint: {html(hint)}</p>' if hint else ""
    return f'<li>{item}<div class="more">{more}</div></li>'


def _strip(rows: list[dict]) -> str:
    """All tests side by side, as wide as their points."""
    whole = sum(row["points"] for row in rows) or 1
    parts, left = [], 0.0
    for row in rows:
        width = 1000 * row["points"] / whole
        tone = TONES.get(row["outcome"], "bad")
        parts.append(f'<rect class="{tone}" x="{left:.1f}" width="{max(width - 4, 1):.1f}" height="10"/>')
        left += width
    passed = sum(row["outcome"] == "passed" for row in rows)
    label = f'role="img" aria-label="{passed} of {len(rows)} tests passed"'
    return f'<svg class="strip" viewBox="0 0 1000 10" preserveAspectRatio="none" {label}>{"".join(parts)}</svg>'


def _code(message: str) -> list[str]:
    texts = [part for text in clean(message).splitlines() for part in (wrap(text, 88) or [""])]
    return ["\n".join(f"    {text}".rstrip() for text in texts)] if texts else []
