"""What pytest leaves out."""

collect_ignore = ["ds_metrics/pairwise/triton.py"]  # can't be imported without Triton, and has no examples
