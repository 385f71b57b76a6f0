"""How the pages of Zegel are built: ``make docs``, into build/docs. Nothing is fetched, and a warning is an error."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

import zegel

project = "Zegel"
author = "the Zegel project"
project_copyright = "the Zegel project, Apache-2.0"
version = release = zegel.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown"}
exclude_patterns = ["writers", "man"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
add_module_names = False
nitpicky = False

smartquotes = False
toc_object_entries = False

html_theme = "alabaster"
html_title = f"Zegel {release}"
html_static_path = ["_static"]
html_css_files = ["zegel.css"]
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}
html_show_sourcelink = False
html_copy_source = False
html_domain_indices = False
html_use_index = False
html_show_copyright = False
pygments_style = "friendly"
html_theme_options = {
    "description": "E-mail authentication beside the Postfix that you already run",
    "fixed_sidebar": True,
    "page_width": "1260px",
    "sidebar_width": "250px",
    "sidebar_collapse": True,
    "show_powered_by": False,
    "font_family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
    "head_font_family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
    "code_font_family": "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace",
}

# Written by runs of their own (make bench and the like): a tree in which they have not run yet builds without them.
_MEASURED = ("interop", "standards", "benchmarks")


def _without_what_is_not_measured(app: Any, page: str, source: list[str]) -> None:
    if page == "index":
        for name in _MEASURED:
            if name not in app.env.found_docs:
                source[0] = source[0].replace(f"\n{name}\n", "\n")


def setup(app: Any) -> None:
    """Take the pages that are not there yet out of the contents."""
    app.connect("source-read", _without_what_is_not_measured)
