// The distance matrix by cluster: Plotly draws it; pointing at a cell, or moving to it by keys, names its two shapes.

const BLANK_AXIS = { showgrid: false, zeroline: false, showline: false, showticklabels: false, ticks: "" };

const matrixState = { set: null, rows: null, positions: null, cell: null };

// The buttons are named one by one: Plotly's own set has one that sends the data to a server.
function plotConfig(name) {
  return {
    displaylogo: false,
    responsive: true,
    plotlyServerURL: "",
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
    toImageButtonOptions: { filename: name },
  };
}

function plotLayout(extra) {
  const [ink, paper, line] = ["--ink", "--paper", "--line"].map(styleOf);
  const axis = { color: ink, gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true };
  const { xaxis = {}, yaxis = {}, ...rest } = extra;
  return {
    paper_bgcolor: paper,
    plot_bgcolor: paper,
    font: { color: ink, family: getComputedStyle(document.body).fontFamily, size: 13 },
    margin: { l: 56, r: 16, t: 12, b: 48 },
    hovermode: "closest",
    xaxis: { ...axis, ...xaxis },
    yaxis: { ...axis, ...yaxis },
    ...rest,
  };
}

// Positions of the shapes that matrix and map show: all, or evenly spaced ones.
function shownPositions(set) {
  return set.positions ? Array.from(decodeUint32(set.positions)) : set.ids.map((_, position) => position);
}

function renderMatrix(set) {
  document.getElementById("matrix-section").hidden = !set.matrix;
  const plot = document.getElementById("matrix");
  Plotly.purge(plot);
  matrixState.cell = null;
  if (!set.matrix) return;
  const positions = shownPositions(set);
  Object.assign(matrixState, { set, positions, rows: decodeMatrix(set.matrix, positions.length) });
  dropViews(document.getElementById("pair"));
  drawMatrix();
  plot.on("plotly_hover", ({ points, event }) => {
    const [row, column] = points[0].pointIndex || points[0].pointNumber;
    pointAt(row, column);
    showTip(event, cellLines(row, column));
  });
  plot.on("plotly_unhover", hideTip);
  pointAt(0, Math.min(positions.length - 1, set.sizes[0]));
}

function drawMatrix() {
  const { set, rows } = matrixState;
  const ends = [-0.5, rows.length - 0.5];
  const blank = { ...BLANK_AXIS, constrain: "domain" };
  const layout = plotLayout({
    margin: { l: 8, r: 8, t: 8, b: 8 },
    xaxis: { ...blank, range: ends },
    yaxis: { ...blank, range: [...ends].reverse(), scaleanchor: "x" },
    showlegend: false,
    dragmode: "zoom",
  });
  const heat = {
    type: "heatmap",
    z: rows,
    zmin: 0,
    zmax: set.matrix.top,
    colorscale: "Viridis",
    hoverinfo: "none",
    colorbar: { title: { text: "Chamfer distance", side: "right" }, thickness: 12, outlinewidth: 0, len: 0.9 },
  };
  return Plotly.react("matrix", [heat, clusterOutlines()], layout, plotConfig("distance-matrix"));
}

// A square around each cluster on the diagonal.
function clusterOutlines() {
  const { set, positions } = matrixState;
  const [x, y] = [[], []];
  let from = 0;
  for (let cluster = 0; cluster < set.starts.length; cluster++) {
    const end = set.starts[cluster] + set.sizes[cluster];
    let to = from;
    while (to < positions.length && positions[to] < end) to++;
    const [a, b] = [from - 0.5, to - 0.5];
    if (to > from) {
      x.push(a, b, b, a, a, null);
      y.push(a, a, b, b, a, null);
    }
    from = to;
  }
  const width = Math.max(0.4, Math.min(1.4, 14 / set.starts.length));
  return { type: "scatter", mode: "lines", x, y, hoverinfo: "skip", line: { color: "#ffffff", width } };
}

function cellLines(row, column) {
  const { set, positions, rows } = matrixState;
  return [nameOf(set, positions[row]), nameOf(set, positions[column]), `distance ${precise(rows[row][column])}`];
}

// Shows the two shapes of a cell beside the matrix.
function pointAt(row, column) {
  const { set, positions, cell } = matrixState;
  if (cell && cell[0] === row && cell[1] === column) return;
  matrixState.cell = [row, column];
  const panel = document.getElementById("pair");
  if (!panel.children.length) {
    panel.append(make("p", { className: "distance" }), make("div"), make("div"));
  }
  const lines = cellLines(row, column);
  panel.children[0].textContent = lines[2];
  [row, column].forEach((index, i) => showShape(panel.children[i + 1], set, positions[index]));
}

function showShape(slot, set, position) {
  if (slot.dataset.position === String(position)) return;
  slot.dataset.position = position;
  dropViews(slot);
  const where = `cluster ${clusterOf(set, position) + 1}`;
  slot.append(pictureOf(set, position, nameOf(set, position)));
  slot.append(make("p", { textContent: nameOf(set, position) }), make("p", { className: "hint", textContent: where }));
}

function steerMatrix(event) {
  const last = matrixState.positions.length - 1;
  const step = event.shiftKey ? 10 : 1;
  const moves = { ArrowLeft: [0, -step], ArrowRight: [0, step], ArrowUp: [-step, 0], ArrowDown: [step, 0] };
  const zooms = { "+": 0.5, "=": 0.5, "-": 2, "−": 2, 0: Infinity };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (moves[event.key]) {
    event.preventDefault();
    const [row, column] = matrixState.cell.map((at, i) => Math.max(0, Math.min(last, at + moves[event.key][i])));
    pointAt(row, column);
    markCell();
    announce(cellLines(row, column).join(", "));
  } else if (event.key in zooms) {
    event.preventDefault();
    zoomMatrix(zooms[event.key]);
  }
}

function markCell() {
  const [row, column] = matrixState.cell;
  const line = { color: "#ff5a36", width: 1.5 };
  const across = { type: "line", xref: "paper", x0: 0, x1: 1, y0: row, y1: row, line };
  const down = { type: "line", yref: "paper", y0: 0, y1: 1, x0: column, x1: column, line };
  const { xaxis, yaxis } = document.getElementById("matrix")._fullLayout;
  const span = Math.abs(xaxis.range[1] - xaxis.range[0]) / 2;
  const seen = between(column, xaxis.range) && between(row, yaxis.range);
  const shift = seen ? {} : { "xaxis.range": [column - span, column + span], "yaxis.range": [row + span, row - span] };
  Plotly.relayout("matrix", { shapes: [across, down], ...shift });
}

function between(value, [first, last]) {
  return value >= Math.min(first, last) && value <= Math.max(first, last);
}

// Around the cell that is pointed at.
function zoomMatrix(factor) {
  const count = matrixState.positions.length;
  const { xaxis } = document.getElementById("matrix")._fullLayout;
  const span = (Math.abs(xaxis.range[1] - xaxis.range[0]) * factor) / 2;
  const [row, column] = matrixState.cell;
  const all = span * 2 >= count;
  const x = all ? [-0.5, count - 0.5] : [column - span, column + span];
  const y = all ? [count - 0.5, -0.5] : [row + span, row - span];
  Plotly.relayout("matrix", { "xaxis.range": x, "yaxis.range": y });
  announce(all ? "whole matrix" : `zoomed to ${Math.round(2 * span)} shapes`);
}
