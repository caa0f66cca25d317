// DS over k, and the map of the shapes.

const OWN_MARKS = 10; // clusters with a mark of their own; smaller ones share one
const SYMBOLS = ["circle", "square", "diamond", "cross", "x", "triangle-up", "triangle-down", "star", "pentagon", "hourglass"];
const LIGHT_COLOURS = ["#1f5fae", "#b3470b", "#1b6e48", "#8b3a8f", "#9a6a00", "#0b7a88", "#a8325e", "#5a5f1a", "#4b4fc4", "#7a4a2b"];
const DARK_COLOURS = ["#86b4f0", "#f2a06b", "#74c9a0", "#d79bdb", "#e5c15a", "#63cfdd", "#f08fb4", "#c3c86f", "#aeb1ff", "#d8a684"];
const LOG_SPAN = 64; // from this ratio of the largest k to the smallest on, the axis of k is logarithmic

const mapState = { set: null, positions: null, x: null, y: null, at: -1 };

function renderCurve(set) {
  document.getElementById("curve-section").hidden = !set.curves.length;
  Plotly.purge("curve");
  if (!set.curves.length) return;
  drawCurve(set);
  renderNumbers(set);
}

function drawCurve(set) {
  const ks = set.curves.flatMap((curve) => curve.k);
  const wide = Math.max(...ks) / Math.min(...ks) >= LOG_SPAN;
  const colours = [styleOf("--accent"), styleOf("--quiet")];
  const traces = set.curves.flatMap((curve, i) => curveTraces(curve, colours[i % 2], ["solid", "dash"][i % 2]));
  const layout = plotLayout({
    xaxis: { title: { text: "number of clusters k" }, ...(wide ? { type: "log", dtick: "D2" } : {}) },
    yaxis: { title: { text: "Dispersion Score" }, rangemode: "tozero" },
    legend: { x: 1, xanchor: "right", y: 1, bgcolor: "rgba(0,0,0,0)" },
    showlegend: true,
  });
  return Plotly.react("curve", traces, layout, plotConfig("dispersion-curve"));
}

function scoreAt(curve, k) {
  const at = curve.k.indexOf(k);
  return at < 0 ? null : curve.scores[at];
}

function curveTraces(curve, colour, dash) {
  const few = curve.k.length <= 40;
  const traces = [{
    type: "scatter",
    mode: few ? "lines+markers" : "lines",
    x: curve.k,
    y: curve.scores,
    name: curve.name,
    line: { color: colour, dash },
    marker: { size: 5 },
    hovertemplate: "k = %{x}<br>DS %{y:.4g}<extra></extra>",
  }];
  const mark = (k, symbol, name, error) => {
    const score = scoreAt(curve, k);
    if (score === null) return;
    const marker = { symbol, size: 13, color: colour, line: { width: 2, color: colour } };
    traces.push({ type: "scatter", mode: "markers", x: [k], y: [score], name, marker, error_y: error, hoverinfo: "name" });
  };
  mark(curve.knee, "diamond-open", `knee, k = ${curve.knee}`);
  if (curve.chosen && curve.interval) {
    const score = scoreAt(curve, curve.chosen) || 0;
    const [low, high] = curve.interval;
    const error = { type: "data", symmetric: false, array: [high - score], arrayminus: [score - low], color: colour };
    mark(curve.chosen, "circle-open", `chosen, k = ${curve.chosen}, with interval`, error);
  }
  return traces;
}

function renderNumbers(set) {
  const place = document.querySelector("#curve-numbers div");
  const tables = set.curves.map((curve) => {
    const rows = curve.k.map((k, i) => [String(k), curve.scores[i].toPrecision(5)]);
    return makeTable(`${curve.name}, knee at k = ${curve.knee}`, ["k", "DS"], rows);
  });
  place.replaceChildren(...tables);
}

function makeTable(caption, heads, rows) {
  const cells = (tag, texts) => texts.map((text) => make(tag, { textContent: text }));
  const head = make("tr", {}, ...cells("th", heads));
  for (const cell of head.children) cell.scope = "col";
  const body = rows.map((row) => make("tr", {}, ...cells("td", row)));
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  if (caption) table.prepend(make("caption", { textContent: caption }));
  return table;
}

function renderMap(set) {
  const plot = document.getElementById("map");
  document.getElementById("map-section").hidden = !set.map;
  Plotly.purge(plot);
  if (!set.map) return;
  const [x, y] = [decodeUint16(set.map.x), decodeUint16(set.map.y)];
  Object.assign(mapState, { set, positions: shownPositions(set), x, y, at: -1 });
  dropViews(document.getElementById("spot"));
  drawMap();
  plot.on("plotly_hover", ({ points, event }) => {
    if (points[0].customdata === undefined) return;
    pointAtSpot(points[0].customdata);
    showTip(event, spotLines(points[0].customdata));
  });
  plot.on("plotly_unhover", hideTip);
  pointAtSpot(0);
}

function drawMap() {
  const layout = plotLayout({
    margin: { l: 8, r: 8, t: 8, b: 8 },
    xaxis: { ...BLANK_AXIS },
    yaxis: { ...BLANK_AXIS, scaleanchor: "x" },
    showlegend: true,
    legend: { orientation: "h", y: -0.02, yanchor: "top", itemsizing: "constant", font: { size: 12 } },
    dragmode: "pan",
  });
  return Plotly.react("map", [...mapTraces(), ringTrace()], layout, plotConfig("map"));
}

function mapTraces() {
  const { set, positions, x, y } = mapState;
  const colours = document.documentElement.dataset.theme === "dark" ? DARK_COLOURS : LIGHT_COLOURS;
  const groups = set.starts.slice(0, OWN_MARKS).map((_, cluster) => makeGroup(
    `cluster ${cluster + 1}, ${percent(set.sizes[cluster], set.ids.length)}`, SYMBOLS[cluster], colours[cluster]));
  if (set.starts.length > OWN_MARKS) {
    groups.push(makeGroup(`${plural(set.starts.length - OWN_MARKS, "smaller cluster")}`, "circle-open", styleOf("--quiet")));
  }
  positions.forEach((position, i) => {
    const group = groups[Math.min(clusterOf(set, position), groups.length - 1)];
    group.x.push(x[i]);
    group.y.push(y[i]);
    group.customdata.push(i);
  });
  return groups.filter((group) => group.x.length);
}

function makeGroup(name, symbol, color) {
  const marker = { symbol, color, size: 8, opacity: 0.85 };
  return { type: "scatter", mode: "markers", x: [], y: [], customdata: [], name, marker, hoverinfo: "none" };
}

function ringTrace() {
  const { x, y, at } = mapState;
  const marker = { symbol: "circle-open", size: 18, color: styleOf("--ink"), line: { width: 2.5 } };
  return { type: "scatter", mode: "markers", x: at < 0 ? [] : [x[at]], y: at < 0 ? [] : [y[at]], marker, hoverinfo: "skip", showlegend: false };
}

function spotLines(i) {
  const { set, positions } = mapState;
  return [nameOf(set, positions[i]), `cluster ${clusterOf(set, positions[i]) + 1}`];
}

function pointAtSpot(i) {
  mapState.at = i;
  const panel = document.getElementById("spot");
  if (!panel.children.length) panel.append(make("div"));
  showShape(panel.children[0], mapState.set, mapState.positions[i]);
}

function steerMap(event) {
  const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
  const step = steps[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  pointAtSpot(Math.max(0, Math.min(mapState.positions.length - 1, mapState.at + step)));
  drawMap();
  announce(spotLines(mapState.at).join(", "));
}
