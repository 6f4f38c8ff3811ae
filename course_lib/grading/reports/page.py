"""One self-contained page: no script, nothing loaded, readable on a phone, in light and in dark."""

from base64 import b64encode
from hashlib import sha256

from course_lib.grading.words import html

STYLE = """
:root {
  color-scheme: light dark;
  --page: #fff; --panel: #f4f6f8; --line: #d5dbe1; --text: #1b1f24; --quiet: #545d68; --link: #005a8f;
  --good: #0a6449; --good-back: #ddf3e9; --bad: #9b2d12; --bad-back: #fce4dc; --part: #775000; --part-back: #fcefcc;
  --none: #545d68; --none-back: #e9edf1; --fault: #5a3696; --fault-back: #ece4f8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --panel: #1e2328; --line: #3a424b; --text: #e6e9ec; --quiet: #a8b1bb; --link: #6cb8ea;
    --good: #74d6b0; --good-back: #16382d; --bad: #ffa48e; --bad-back: #46231a; --part: #f2c566; --part-back: #3d3011;
    --none: #a8b1bb; --none-back: #272d33; --fault: #cab4f7; --fault-back: #33294d;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 46rem; margin: 0 auto; padding: 1.25rem 1rem 3rem; }
main.wide { max-width: 76rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 2.25rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .4rem; }
p { margin: .5rem 0; }
a { color: var(--link); }
ul, ol { margin: .5rem 0; padding: 0; list-style: none; }
code { font: .92em/1.4 ui-monospace, monospace; }
bdi { display: inline-block; max-width: 100%; overflow: clip; vertical-align: bottom; }
.quiet { color: var(--quiet); }
.small { font-size: .9rem; }
.good { color: var(--good); } .bad { color: var(--bad); } .part { color: var(--part); }
.none { color: var(--none); } .fault { color: var(--fault); }
.notice { background: var(--part-back); color: var(--text); border-left: .3rem solid var(--part); padding: .6rem .9rem; }
.notice.fault { background: var(--fault-back); color: var(--text); border-color: var(--fault); }
.notice + .notice { margin-top: .7rem; }
.words { white-space: pre-wrap; unicode-bidi: plaintext; overflow: clip; overflow-wrap: anywhere; }
.lines { font: .85rem/1.45 ui-monospace, monospace; }
svg { display: block; width: 100%; }
svg .good, svg .bad, svg .part, svg .none, svg .fault { fill: currentColor; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: .75rem; }
@media print { main, main.wide { max-width: none; } section, li, tr { break-inside: avoid; } }
"""


def page(title: str, body: str, style: str = "", wide: bool = False) -> bytes:
    """The page as UTF-8.

    Args:
        title: plain text.
        body: HTML; whatever a student may have written in it has gone through :func:`course_lib.grading.words.html`.
        style: rules of this kind of page.
        wide: for tables.
    """
    css = STYLE + style
    # The policy names the one style sheet by its hash: were there a hole in the escaping, nothing that came through it would act.
    style_hash = b64encode(sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>{html(title)}</title>
<style>{css}</style>
</head>
<body>
<main{' class="wide"' if wide else ""}>
{body}
</main>
</body>
</html>
""".encode()


def words(text: str) -> str:
    """A message: as one paragraph, or line by line where it has several."""
    return f'<p class="words{" lines" if chr(10) in text else ""}">{html(text)}</p>'


def name(text: str) -> str:
    """A name or a path: on one line, and its direction of writing does not reach its neighbours."""
    return f"<bdi>{html(' '.join(text.split()))}</bdi>"
