"""The page in headless Chromium: no console error, no overflow, on a telephone and a desktop."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_WIDTHS = (390, 1440)
# Frames as wide as the screens: a window of the browser itself cannot be narrow everywhere.
_PROBE = """
<!doctype html><meta charset="utf-8"><pre id="found"></pre>
<script>
const text = {text}, found = {{}};
let waiting = {widths}.length;
for (const width of {widths}) {{
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${{width}}px;height:900px;border:0`;
  frame.srcdoc = text;
  frame.onload = () => {{
    const page = frame.contentDocument, root = page.documentElement;
    const wide = [...page.querySelectorAll("main *")].filter(
      (one) => one.getBoundingClientRect().right > width + 1 && !one.closest(".wide, .strip"));
    found[width] = {{
      width: root.scrollWidth, height: root.scrollHeight,
      broken: [...page.images].filter((one) => !one.naturalWidth).length,
      overflowing: wide.map((one) => `${{one.tagName}}.${{one.className}}`).slice(0, 5),
      resultsFit: [...page.querySelectorAll(".results .wide")].every(
        (one) => one.scrollWidth <= one.clientWidth + 1),
      smallest: Math.min(...[...page.querySelectorAll(
        "p, td, th, dd, dt, li, span:not(:empty), figcaption")].map(
        (one) => parseFloat(page.defaultView.getComputedStyle(one).fontSize))),
    }};
    if (!--waiting) document.getElementById("found").textContent = JSON.stringify(found);
  }};
  document.body.append(frame);
}}
</script>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip(f"no Chromium on PATH (looked for {', '.join(_NAMES)})")
    return program


def _run(browser: str, profile: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", f"--user-data-dir={profile}",
            "--enable-logging=stderr", "--virtual-time-budget=20000", *arguments,
        ],
        capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip


def test_the_page_fits_a_telephone_and_a_desktop(browser, report, tmp_path):
    text = json.dumps(report).replace("</", "<\\/")
    probe = tmp_path / "probe.html"
    probe.write_text(_PROBE.format(text=text, widths=list(_WIDTHS)), encoding="utf-8")
    done = _run(browser, tmp_path / "profile", "--dump-dom", probe.as_uri())
    by_width = json.loads(html.unescape(re.search(r'id="found">(.*?)</pre>', done.stdout)[1]))
    for width in _WIDTHS:
        measured = by_width[str(width)]
        assert measured["width"] <= width, measured
        assert measured["overflowing"] == []
        assert measured["broken"] == 0
        assert measured["resultsFit"]
        assert measured["smallest"] >= 11
        assert measured["height"] > 2000
    assert "CONSOLE" not in done.stderr, done.stderr


def test_the_page_alone_says_nothing_on_the_console_and_prints(browser, report, tmp_path):
    page, printed = tmp_path / "report.html", tmp_path / "report.pdf"
    page.write_text(report, encoding="utf-8")
    done = _run(browser, tmp_path / "profile", f"--print-to-pdf={printed}", page.as_uri())
    assert "CONSOLE" not in done.stderr, done.stderr
    assert printed.read_bytes().startswith(b"%PDF")
