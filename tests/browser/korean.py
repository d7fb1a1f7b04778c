"""Whether a page or a dialog is in Korean, all of it."""

from __future__ import annotations

import re

from playwright.sync_api import Page

# Programs, formats, units, keys and abbreviations: what is called so in Korean, too.
_NAMES = frozenset(
    """
    Moonlight JupyterLab JupyterHub Jupyter Slurm QoS XFCE GNOME MATE KDE OpenGL LLVM llvmpipe bits selkies
    LS-PrePost LS-DYNA Plasma NVIDIA nvidia-smi GPU CPU Mbps fps WebSocket PIN HTTPS https VPN UTC
    English moonlight viz Ctrl Alt Del Shift Esc Tab Super Windows Print Screen Space
    """.split()  # noqa: SIM905  # read like a list, and not one word a line
)
_WORD = re.compile(r"[A-Za-z][A-Za-z-]{2,}")
_SESSION = re.compile(r"ml-[a-z0-9_.-]+")

# What is seen and what a screen reader says; not who one is, what files are called, nor what programs
# wrote into logs.
_ALL_SAID = """() => {
  const said = [];
  const not = 'pre, .mono, .user, script, style, select.language, [lang=en], [translate=no]';
  const counts = (element) => element.checkVisibility() && !element.closest(not);
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    if (counts(node.parentElement)) said.push(node.data);
  }
  for (const element of document.querySelectorAll('body *')) {
    for (const name of ['aria-label', 'title', 'placeholder', 'alt', 'aria-valuetext']) {
      if (element.hasAttribute(name) && counts(element)) said.push(element.getAttribute(name));
    }
  }
  return said;
}"""


def all_is_korean(page: Page, name: str) -> None:
    """No English is left over but names."""
    text = _SESSION.sub("", "\n".join(page.evaluate(_ALL_SAID)))
    left = sorted({word for word in _WORD.findall(text) if word not in _NAMES})
    assert re.search("[가-힣]", text) and not left, f"{name}: {left} in {text}"
