"""What an instructor reads: who has no mark yet and why, the marks, the tests that most failed, then flags and slow ones."""

import re
from collections import Counter
from pathlib import Path
from statistics import mean, median
from urllib.parse import quote

from course_lib.grading.reports.feedback import graded_how, is_not_run, outcome_name
from course_lib.grading.reports.page import name, page, words
from course_lib.grading.results import NO_MARK
from course_lib.grading.store import Mark, replace_file
from course_lib.grading.words import (
    FAILED,
    SYMBOLS,
    chapter_name,
    clean,
    html,
    line,
    number,
)

HARDEST = 10  # tests shown at once
SLOWEST = 10  # tests shown, and
SLOW = 1.0  # CPU seconds from which one is worth showing
STYLE = """
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; padding: 0; }
.facts li b { display: block; font-size: 1.6rem; line-height: 1.2; }
.todo > li { border: 1px solid var(--line); border-left: .3rem solid var(--fault); border-radius: .3rem; }
.todo > li { padding: .5rem .8rem; margin: .5rem 0; }
.todo p { margin: .15rem 0; }
.bars { display: flex; align-items: flex-end; max-width: 30rem; margin-top: 1rem; }
.bars li { flex: 1; text-align: center; font-size: .8rem; }
.bars svg { height: 4rem; color: var(--link); }
.bars li + li { margin-left: 2px; }
summary { padding: .7rem 0; color: var(--link); cursor: pointer; }
.scroll { overflow: auto; max-height: 85vh; border: 1px solid var(--line); border-radius: .3rem; }
table { border-collapse: separate; border-spacing: 0; font-size: .9rem; width: 100%; }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { background: var(--panel); font-weight: 600; }
thead th { position: sticky; top: 0; z-index: 1; vertical-align: bottom; white-space: normal; overflow-wrap: normal; }
tbody th { text-align: left; position: sticky; left: 0; min-width: 9rem; max-width: 15rem; }
thead th:first-child { left: 0; z-index: 2; text-align: left; }
tbody th bdi { text-overflow: ellipsis; }
tbody tr:last-child > * { border-bottom: 0; }
td.good { background: var(--good-back); } td.bad { background: var(--bad-back); } td.part { background: var(--part-back); }
td.none { background: var(--none-back); } td.fault { background: var(--fault-back); }
td.total { font-weight: 700; }
.tests > li { border-bottom: 1px solid var(--line); padding: .7rem 0; }
.tests .top { display: flex; gap: .75rem; align-items: baseline; }
.tests .rate { font-weight: 700; min-width: 5.8rem; white-space: nowrap; }
.tests svg { height: .5rem; margin: .25rem 0; background: var(--none-back); border-radius: .25rem; }
.tests .said { border-left: .2rem solid var(--bad); padding-left: .7rem; margin: .5rem 0 0; }
.tests .said p { margin: .1rem 0; }
@media (max-width: 40rem) {
  .scroll { max-height: none; }
  th, td { padding: .3rem .4rem; }
  tbody th { min-width: 6.5rem; max-width: 8.5rem; }
}
@media print { .scroll { max-height: none; overflow: visible; } }
"""


def overview(marks: list[Mark], folder: Path) -> Path:
    """Write ``overview.html``, for the instructor alone: it names students, hidden tests and what the grader saw."""
    path = folder / "overview.html"
    rows = [row for mark in marks for row in mark.rows]
    chapters = list(dict.fromkeys(row["chapter"] for row in rows if row["test"]))
    title = f"Class: {', '.join(map(chapter_name, chapters))}" if chapters else "Class"
    parts = [f"<h1>{html(title)}</h1>"]
    if any(row.get("jail") == "none" for row in rows):
        parts.append('<p class="notice">Graded without a jail: every hand-in could have changed its own mark, and any other.</p>')
    parts += [_facts(marks), _without_mark(marks), _marks(marks), _tests(rows), _flags(marks), _slow(rows)]
    parts.append(f'<footer class="quiet small">{html(" · ".join(graded_how(tuple(rows))))}</footer>')
    replace_file(path, page(title, "\n".join(filter(None, parts)), STYLE, wide=True))
    return path


def _facts(marks: list[Mark]) -> str:
    finals = [mark.final for mark in marks if mark.final is not None]
    facts = [("hand-ins", sum(any(row["hand_in"] for row in mark.rows) for mark in marks)), ("with a mark", len(finals))]
    facts.append(("without a mark", len(marks) - len(finals)))
    if finals:
        out_of = number(marks[0].out_of)
        facts += [
            (f"mean of {out_of}", number(round(mean(finals), 1))),
            (f"median of {out_of}", number(round(median(finals), 1))),
        ]
    items = "".join(f"<li><b>{html(value)}</b>{html(what)}</li>" for what, value in facts)
    return f'<ul class="facts">{items}</ul>'


def _without_mark(marks: list[Mark]) -> str:
    """The grader's own faults first: they are the instructor's to mend; then what students must hand in again."""
    waiting = [mark for mark in marks if mark.final is None]
    if not waiting:
        return '<h2>No mark yet</h2><p><span class="good">✓</span> Everyone has a mark.</p>'
    groups = {"error": [], "unread": [], "nothing": []}
    for mark in waiting:
        outcomes = {row["outcome"] for row in mark.rows}
        nothing = not any(row["hand_in"] for row in mark.rows)
        groups["nothing" if nothing else "unread" if "error" not in outcomes else "error"].append(mark)
    parts = [f"<h2>No mark yet: {len(waiting)}</h2>"]
    heads = {
        "error": ("The grader’s own fault", "Mend what is named here and grade again: only what has no result runs."),
        "unread": ("Not gradable, or not whole", "Their feedback pages say what to hand in again."),
        "nothing": ("Nothing handed in", "A mark in the column manual of grades.csv settles it."),
    }
    for group, (head, todo) in heads.items():
        if groups[group]:
            items = "".join(f"<li><b>{_link(mark)}</b> {_where(mark)}{_why(mark)}</li>" for mark in groups[group])
            if group == "nothing":
                items = f"<li>{', '.join(name(mark.name) for mark in groups[group])}</li>"
            parts.append(f'<h3>{head}: {len(groups[group])}</h3><p class="quiet small">{todo}</p><ul class="todo">{items}</ul>')
    return "\n".join(parts)


def _why(mark: Mark) -> str:
    parts = [f"<p>{html(problem)}</p>" for problem in mark.problems]
    faults = {
        line(row.get("instructor") or row["message"]): row for row in mark.rows if row["test"] and row["outcome"] in NO_MARK
    }
    parts += [
        f'<p class="quiet small"><code>{html(row["test"])}</code>: {html(text)}</p>' for text, row in list(faults.items())[:3]
    ]
    return "".join(parts)


def _marks(marks: list[Mark]) -> str:
    if not marks or not marks[0].exercises:
        return ""
    head = "".join(f"<th scope=col>{_breakable(label)}<br>{number(of)}</th>" for label, of in marks[0].possible.items())
    lines = []
    for mark in marks:
        cells = "".join(_cell(mark, label) for label in mark.exercises)
        final = "–" if mark.final is None else number(mark.final) + ("*" if mark.manual is not None else "")
        late = ' <span class="quiet small">late</span>' if mark.late else ""
        lines.append(f"<tr><th scope=row>{_link(mark)}{late}</th><td class=total>{final}</td>{cells}</tr>")
    manual = ", * given by hand" if any(mark.manual is not None for mark in marks) else ""
    key = "✓ all points, ~ some, ✗ none, ○ not attempted, ! not graded yet, – no mark yet"
    return (
        f'<h2>Marks</h2><p class="quiet small">{key}{manual}</p>{_bars(marks)}'
        f'<h3>By exercise</h3><div class="scroll" tabindex="0" role="region" aria-label="Marks by exercise"><table><thead><tr>'
        f"<th scope=col>student</th><th scope=col>total<br>{number(marks[0].out_of)}</th>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cell(mark: Mark, label: str) -> str:
    points, of, rows = mark.exercises[label], mark.possible[label], mark.tests[label]
    if points is None:
        return f"<td class={'fault' if rows else 'none'}>{'!' if rows else '–'}</td>"
    if all(row["outcome"] == "not attempted" for row in rows):
        return "<td class=none>○ 0</td>"
    tone, sign = ("good", "✓") if points == of else ("part", "~") if points else ("bad", "✗")
    return f"<td class={tone}>{sign} {number(points)}</td>"


def _breakable(identifier: str) -> str:
    return re.sub(r"_|(?<=[a-z])(?=[A-Z])", r"\g<0><wbr>", html(identifier))


def _bars(marks: list[Mark]) -> str:
    """How the marks lie: ten tenths of the points."""
    finals = [mark.final for mark in marks if mark.final is not None]
    whole = marks[0].out_of
    if not finals or not whole:
        return ""
    tenths = Counter(min(max(int(10 * final / whole), 0), 9) for final in finals)
    top = max(tenths.values())
    items = ""
    for tenth in range(10):
        n = tenths[tenth]
        bar = f'<rect fill="currentColor" y="{100 - 100 * n / top:.0f}" width="100" height="{100 * n / top:.0f}"/>'
        label = f"{number(whole * tenth / 10)}–<br>{number(whole * (tenth + 1) / 10)}"
        items += f'<li>{n or ""}<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{bar}</svg>{label}</li>'
    below = '<p class="quiet small">how many students have so many points; who is between two bars counts in the upper one</p>'
    return f'<h3>How they lie</h3><ul class="bars">{items}</ul>{below}'


def _tests(rows: list[dict]) -> str:
    """The tests by the share of those that passed among those who attempted them, with the words that most others read."""
    tests: dict[tuple[str, str, str], list[dict]] = {}
    for row in rows:
        if row["test"] and row["outcome"] not in NO_MARK:
            tests.setdefault((row["chapter"], row["exercise"], row["test"]), []).append(row)
    if not tests:
        return ""
    several = len({chapter for chapter, _, _ in tests}) > 1
    rated = sorted(tests.items(), key=lambda item: _rate(item[1]))
    items = [_test((f"{c}: " if several else "") + e, t, mine) for (c, e, t), mine in rated]
    more = ""
    if len(items) > HARDEST:
        more = (
            f'<details><summary>{len(items) - HARDEST} more</summary><ol class="tests">{"".join(items[HARDEST:])}</ol></details>'
        )
    return f'<h2>Tests, hardest first</h2><ol class="tests">{"".join(items[:HARDEST])}</ol>{more}'


def _test(exercise: str, test: str, rows: list[dict]) -> str:
    tried = [row for row in rows if _is_tried(row)]
    rate = _rate(rows) if tried else 0
    shown = f"{100 * rate:.0f} % pass" if tried else "not attempted"
    ends = [Counter(outcome_name(row) for row in rows if _is_tried(row) == so) for so in (True, False)]
    told = [", ".join(f"{n} {html(end)}" for end, n in counts.most_common()) for counts in ends]
    counts = "; ".join(filter(None, [f"of {len(tried)} who attempted it: {told[0]}" if tried else "", told[1]]))
    seen = rows[0].get("visibility", "visible")
    hidden = "" if seen == "visible" else f' <span class="quiet small">({html(seen.replace("_", " "))})</span>'
    bar = f'<rect class="good" width="{1000 * rate:.0f}" height="10"/>'
    item = (
        f'<div class="top"><span class="rate">{shown}</span><span><code>{_breakable(exercise)}</code> '
        f"{html(rows[0].get('title') or test)}{hidden}</span></div>"
        f'<svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">{bar}</svg>'
        f'<p class="quiet small">{counts} · <code>{_breakable(test)}</code></p>'
    )
    said: dict[str, list[str]] = {}
    for row in tried:
        if row["outcome"] in FAILED and row["message"]:
            said.setdefault(re.sub(r"[-+]?\d[\d.,e+-]*", "#", line(row["message"])), []).append(row["message"])
    for same in sorted(said.values(), key=len, reverse=True)[:2]:
        if len(same) > 1 or len(said) == 1:
            item += f'<div class="said"><p class="small">{len(same)} of them:</p>{words(clean(same[0], 600))}</div>'
    return f"<li>{item}</li>"


def _is_tried(row: dict) -> bool:
    """Whether the test ran: the answer was there, and no test before it stood in the way."""
    return row["outcome"] not in ("not attempted", "blocked") and not is_not_run(row)


def _rate(rows: list[dict]) -> float:
    """How many of those who attempted it passed; a test that nobody attempted comes last."""
    tried = [row["outcome"] == "passed" for row in rows if _is_tried(row)]
    return mean(tried) if tried else 2


def _flags(marks: list[Mark]) -> str:
    """What the reader of hand-ins noticed, and what the jail saw."""
    items = []
    for mark in marks:
        notes = [html(line(flag)) for flag in mark.flags]
        notes += [
            f"<code>{html(row['test'])}</code> {html(row['outcome'])}: {html(line(row['instructor']))}"
            for row in mark.rows
            if row["test"] and row.get("instructor") and row["outcome"] not in NO_MARK
        ]
        if notes:
            more = [f"and {len(notes) - 8} more, in results.jsonl"] if len(notes) > 8 else []
            items.append(f"<li><b>{_link(mark)}</b> {_where(mark)}{''.join(f'<p>{note}</p>' for note in notes[:8] + more)}</li>")
    return f'<h2>Flags: {len(items)}</h2><ul class="todo">{"".join(items)}</ul>' if items else ""


def _slow(rows: list[dict]) -> str:
    slow = sorted((row for row in rows if row.get("cpu", 0) >= SLOW), key=lambda row: -row["cpu"])[:SLOWEST]
    used = f"<p>All tests together: {sum(row.get('cpu', 0) for row in rows):.0f} s of CPU.</p>" if rows else ""
    lines = "".join(
        f"<tr><th scope=row>{name(line(row['name'], 60))}</th><td>{row['cpu']:.1f}</td><td>{row.get('seconds', 0):.1f}</td>"
        f"<td>{SYMBOLS[row['outcome']]} {html(row['outcome'])}</td><td><code>{html(row['test'])}</code></td></tr>"
        for row in slow
    )
    head = (
        "<th scope=col>student</th><th scope=col>CPU s</th><th scope=col>clock s</th><th scope=col></th><th scope=col>test</th>"
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    table = f'<div class="scroll" tabindex="0" role="region" aria-label="Slowest tests">{table}</div>'
    return f"<h2>Slowest</h2>{table if slow else f'<p>No test took {SLOW:g} s.</p>'}{used}"


def _link(mark: Mark) -> str:
    text = name(line(mark.name, 60) or line(mark.student, 60))
    return f'<a href="{quote(mark.page)}" title="{html(line(mark.student, 80))}">{text}</a>' if mark.page else text


def _where(mark: Mark) -> str:
    paths = dict.fromkeys(line(row["hand_in"], 160) for row in mark.rows if row["hand_in"])
    return f'<span class="quiet small">{", ".join(map(name, paths))}</span>'
