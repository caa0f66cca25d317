"""Settings of the documentation site: `make docs` builds it from these pages, the docstrings and the commands."""

import re
import subprocess
import sys
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils import unescape
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.domains.python import PyXRefRole

project = "dispersion-score"
author = copyright = "The dispersion-score developers"
release = version = installed("dispersion-score")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "dispersion-score"
html_theme_options = {"top_of_page_buttons": []}
html_static_path = ["style"]
html_css_files = ["site.css"]
html_copy_source = False
html_math_renderer = "mathml"

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

default_role = "name"
nitpicky = True
nitpick_ignore_regex = [
    # Annotations: nearly all are torch's, numpy's and typing's, which can't be looked up without a network.
    ("py:class", r"(?s:.*)"),
    # Single backticks mark arguments, too. Only a dotted name of this project promises a place to go to.
    ("py:obj", r"(?!(ds_metrics|svr_baselines)\.\w).*"),
]


def complete(app: Sphinx, page: str, source: list[str]) -> None:
    """Fill two pages from elsewhere, and link to files outside of these pages as files."""
    if page == "command-line":
        asked = [sys.executable, "-m", "typer", "ds_cli.app", "utils", "docs", "--name", "ds"]
        generated = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
        source[0] += generated[generated.index("\n## ") :]  # before: a list of the commands, as the page has one
    if page == "examples":
        table = (Path(app.srcdir).parent / "examples" / "README.md").read_text()
        source[0] = re.sub(r"\]\((?!http)", "](../examples/", table).replace("../examples/../docs/", "")
    if "/" not in page:
        source[0] = source[0].replace("](../examples/README.md)", "](examples.md)").replace("](../", "](path:../")


def refer(role: str, raw: str, text: str, line: int, inliner: Any, options: Any = None, content: Any = ()) -> Any:
    """What single backticks mean in docstrings: a link for a name that has a place, code for all else."""
    if re.fullmatch(r"[A-Za-z_][\w.]*", text):
        return PyXRefRole()("py:obj", raw, text, line, inliner)
    return [nodes.literal(raw, unescape(text))], []


def skip_fields(app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of named tuples, which the docstrings of their classes describe."""
    return True if str(getattr(member, "__doc__", "")).startswith("Alias for field number") else None


def drop_docstring_of_type(app: Sphinx, what: str, name: str, member: Any, options: Any, lines: list[str]) -> None:
    """Leave out what `str` and `tuple` say of themselves where a constant is described."""
    if what == "data" and isinstance(member, str | tuple):
        lines.clear()


def draw_formula(writer: Any, node: nodes.math | nodes.math_block) -> None:
    """Write a formula as MathML, which browsers draw without a script from elsewhere."""
    if isinstance(node, nodes.math_block):
        lines = (convert(line, display="block") for line in node.astext().split(r"\\"))
        writer.body.append(f'<div class="formula">{"".join(lines)}</div>')
    else:
        writer.body.append(convert(node.astext()))
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_role("name", refer)
    app.connect("source-read", complete)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("autodoc-process-docstring", drop_docstring_of_type)
    app.add_html_math_renderer("mathml", (draw_formula, None), (draw_formula, None))
