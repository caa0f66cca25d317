"""Three trainings that show the claim of the paper: S1I1, S1I8 and S8I8 of the synthetic set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from svr_baselines.experiments import synthetic
from svr_baselines.experiments.plan import Conclusion, Drawing, Plan, Row
from svr_baselines.experiments.protocol import Options
from svr_baselines.experiments.tables import SCALE
from svr_baselines.experiments.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SERIES = {synthetic.IMAGES: ("S1I1", "S1I8"), synthetic.SHAPES: ("S1I8", "S8I8")}
_STEPS = 200
_SHOWN = 6  # shapes of the test set that are drawn
_TRAINED_ON = {
    "S1I1": "images of both ends, two shapes",
    "S1I8": "images of the whole morph, two shapes",
    "S8I8": "images and shapes of the whole morph",
}


def plan(seed: int = 1) -> Plan:
    """Plan the demonstration.

    Args:
        seed: Seed of the trainings.
    """
    quick = synthetic.PROTOCOLS["quick"]
    differs = (*quick.differs[1:-1], f"{_STEPS} steps of three trainings of the paper's 16.")
    protocol = replace(quick, steps=_STEPS, differs=differs)
    planned = synthetic.plan(Options("quick", seeds=(seed,)), _SERIES, protocol)
    return replace(planned, name="demo", title="Cube or sphere? Three trainings", conclude=conclude)


def conclude(plan: Plan, rows: tuple[Row, ...], load: Callable[[str], Any]) -> Conclusion:
    """Say which way the scores went. Two steps are no test, which `synthetic` makes."""
    tested = synthetic.conclude(plan, rows, load)
    verdicts = tuple(replace(each, holds=None, sentence=_say(plan, rows, each)) for each in tested.verdicts)
    once = tuple({row.step: row for row in rows}.values())
    return replace(tested, rows=once, verdicts=verdicts, drawings=(_draw(plan, once, load), *tested.drawings))


def _say(plan: Plan, rows: Sequence[Row], verdict: Verdict) -> str:
    images = "images" in verdict.claim
    first, last = (row for row in rows if row.series == (synthetic.IMAGES if images else synthetic.SHAPES))
    varied = "image_ds" if images else "shape_ds"
    before, after = (getattr(row, varied) or 0.0 for row in (first, last))
    scale, form = (1.0, ",.0f") if images else (SCALE, ".2f")
    way = "falls" if last.output_ds < first.output_ds else "rises"
    agrees = (way == "falls") == images
    return (
        f"{'As claimed' if agrees else 'Not as claimed'}: DS of training {'images' if images else 'shapes'} rises from "
        f"{before * scale:{form}} to {after * scale:{form}}, and output DS {way} from {first.output_ds * SCALE:.2f} to "
        f"{last.output_ds * SCALE:.2f} (shapes x 0.001). Two steps are no test: `ds experiment synthetic` makes one."
    )


def _draw(plan: Plan, rows: Sequence[Row], load: Callable[[str], Any]) -> Drawing:
    """Reconstructions along the morph, a line for each training, below the ground truth; with their distances."""
    from matplotlib.figure import Figure

    arms = list({arm.step: arm for arm in plan.arms}.values())
    truth = load(f"predictions/{arms[0].score.arguments['name']}/targets.npy")
    lines: list[tuple[str, Any, Any]] = [(f"ground truth:  DS {(rows[0].truth_ds or 0.0) * SCALE:.2f}", truth, None)]
    for arm, row in zip(arms, rows, strict=True):
        clouds = load(f"predictions/{arm.score.arguments['name']}/predictions.npy")
        text = f"trained on {_TRAINED_ON[arm.step]} ({arm.step}):  "
        text += f"DS {row.output_ds * SCALE:.2f},  CD {row.cd * SCALE:.2f}"
        lines.append((text, clouds, load(str(arm.score.arguments["distances"]))))
    figure = Figure(figsize=(2 * _SHOWN + 2.2, 2.15 * len(lines)), layout="constrained")
    _draw_lines(figure, lines)
    caption = (
        "Shapes from cube to sphere, and what three networks make of their pictures; on the right, the distances among "
        "all reconstructions, blue is near. Scores x 0.001."
    )
    alt = "; ".join(f"{name.replace('  ', ' ')}" for name, _, _ in lines[1:])
    return Drawing("reconstructions", figure, caption, alt)


def _draw_lines(figure: Figure, lines: Sequence[tuple[str, Any, Any]]) -> None:
    import numpy as np

    from ds_metrics.plotting import draw_cloud

    top = max(float(matrix.max()) for _, _, matrix in lines if matrix is not None)
    grid = figure.add_gridspec(len(lines), _SHOWN + 1)
    for line, (text, clouds, matrix) in enumerate(lines):
        for column, index in enumerate(np.linspace(0, len(clouds) - 1, _SHOWN).round().astype(int)):
            ax = figure.add_subplot(grid[line, column])
            draw_cloud(ax, np.asarray(clouds[index], dtype=np.float64))
            if column == 0:
                ax.set_title(" ", fontsize=11)  # room for the line's text, which is as wide as the line
                ax.text(0, 1.03, text, transform=ax.transAxes, fontsize=11).set_in_layout(False)
        if matrix is not None:
            ax = figure.add_subplot(grid[line, _SHOWN])
            ax.imshow(matrix, cmap="RdYlBu_r", vmin=0, vmax=top, interpolation="nearest")
            ax.set_xticks([])
            ax.set_yticks([])
