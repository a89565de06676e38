"""An evaluation's report, written: Markdown, LaTeX, and a page with charts."""

from npr_keras.report.write import FORMATS, write_report

__all__ = ["FORMATS", "write_report"]
