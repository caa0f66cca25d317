"""What pytest leaves out, and that no test is timed: on a busy machine an example may take long."""

from hypothesis import settings

collect_ignore = ["ds_metrics/pairwise/triton.py"]  # can't be imported without Triton, and has no examples

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
