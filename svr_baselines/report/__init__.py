"""A report as one HTML file: scores, verdicts, and the shapes that a network recites.

Results are read by `read_results` and written by `write_report`; `svr_baselines.report.turntables` turns medoids in
films. Its files in ``assets/`` are put into the page together with Plotly, which draws matrix, curve and map.
"""

from svr_baselines.report.writing import Results, read_results, write_report

__all__ = ["Results", "read_results", "write_report"]
