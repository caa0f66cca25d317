"""The experiments of the paper: what they train and score, whether its claims hold, and its figures.

- `synthetic` (section 4), `more_images` (5.3), `more_shapes` (5.4), `more_views` (5.5): what each varies, and what it
  concludes.
- `plan`: arms, rows and conclusions, which all share; `protocol`: the numbers of the presets; `real_data`: data from
  meshes or from ShapeNet.
- `jobs`, `graph`: pieces of work that are done once, by any number of processes; `work`: what they do;
  `training_process`: trainings among them.
- `verdict`: the test of a claim; `tables`, `figures`: how it is shown.
- `checks`: what can be known before the first job; `running`: all of it in turn.
"""

from svr_baselines.experiments.jobs import Context
from svr_baselines.experiments.protocol import Options
from svr_baselines.experiments.running import EXPERIMENTS, RESULTS, plan_experiment, run_experiment

__all__ = ["EXPERIMENTS", "RESULTS", "Context", "Options", "plan_experiment", "run_experiment"]
