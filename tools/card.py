"""Draw the card that messengers show beside a link to the course: ``python tools/card.py`` writes book/_static/card.png.

Needs Playwright and a Chromium of the system.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from screenshots import ROOT, browser  # noqa: E402

from course_lib.explorables import STATIC, Explorable  # noqa: E402

PAGE = """<!DOCTYPE html><style>{style}
body {{ margin: 0; width: 1200px; height: 630px; background: #fff; color: #16202a; font-family: system-ui, sans-serif }}
h1 {{ margin: 44px 70px 0; font-size: 64px; line-height: 1.1 }}
p.under {{ margin: 8px 70px 10px; font-size: 30px; color: #44505c }}
.explorable {{ border: 0; max-width: none; margin: 0 60px }}
.explorable .figure {{ flex-wrap: nowrap; justify-content: start }}
.explorable svg {{ max-width: none; flex: 0 0 860px }}
.explorable svg + svg {{ display: none }}
.explorable :is(.sentence, details, .code) {{ display: none }}
</style><h1>{title}</h1><p class="under">A course in experiments that run in seconds</p>{element}"""


def main():
    style = (STATIC / "explorable.css").read_text(encoding="utf-8")
    element = Explorable("depth").element()
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 1200, "height": 630})
        page.set_content(PAGE.format(style=style, title="Deep network architectures", element=element))
        page.screenshot(path=ROOT / "book/_static/card.png")
    print("drew book/_static/card.png")


if __name__ == "__main__":
    main()
