// What holds the page together: theme, choice of set, tips, printing.

const dark = matchMedia("(prefers-color-scheme: dark)");
const still = matchMedia("(prefers-reduced-motion: reduce)");
const paper = matchMedia("print");
const page = { set: null, theme: null, turning: !still.matches };

function announce(text) {
  document.getElementById("live").textContent = text;
}

function showTip(event, lines) {
  const tip = document.getElementById("tip");
  tip.replaceChildren(...lines.map((line) => make("p", { textContent: line })));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${event.clientY + 18 + height > innerHeight ? event.clientY - height - 12 : event.clientY + 18}px`;
}

function hideTip() {
  document.getElementById("tip").hidden = true;
}

function chosenTheme() {
  return page.theme || (dark.matches ? "dark" : "light");
}

function setTheme(theme) {
  if (document.documentElement.dataset.theme === theme) return;
  document.documentElement.dataset.theme = theme;
  document.getElementById("theme").setAttribute("aria-pressed", String(theme === "dark"));
  repaintClouds();
  if (page.set) redrawCharts();
}

function redrawCharts() {
  if (page.set.matrix) drawMatrix();
  if (page.set.map) drawMap();
  if (page.set.curves.length) drawCurve(page.set);
}

function showTurning() {
  document.getElementById("turning").textContent = page.turning ? "Pause turning" : "Start turning";
  setTurning(page.turning);
}

function showSet(index) {
  const set = readSet(index);
  page.set = set;
  closeMembers();
  document.getElementById("set-name").textContent = `Set: ${set.name}`;
  document.getElementById("missing").replaceChildren(
    ...set.missing.map((text) => make("p", { className: "missing", textContent: text })));
  renderGallery(set);
  renderMatrix(set);
  renderCurve(set);
  renderSamples(set);
  renderMap(set);
  document.querySelector("#provenance div").replaceChildren(
    makeTable("", ["setting", "value"], flatten(set.provenance)));
}

// Nested settings as rows of dotted names and texts.
function flatten(value, name = "") {
  if (value === null || typeof value !== "object") return [[name, value === null ? "none" : String(value)]];
  const entries = Object.entries(value);
  if (!entries.length) return [[name, "none"]];
  return entries.flatMap(([key, inner]) => flatten(inner, name ? `${name}.${key}` : key));
}

// On paper: light, and every shape drawn, seen or not.
function preparePaper() {
  setTheme("light");
  setTurning(false);
  drawStills();
}

function leavePaper() {
  setTheme(chosenTheme());
  showTurning();
}

function start() {
  setTheme(chosenTheme());
  dark.addEventListener("change", () => setTheme(chosenTheme()));
  still.addEventListener("change", () => {
    page.turning = !still.matches;
    showTurning();
  });
  paper.addEventListener("change", () => (paper.matches ? preparePaper() : leavePaper()));
  addEventListener("beforeprint", preparePaper);
  addEventListener("afterprint", leavePaper);
  addEventListener("resize", repaintClouds);
  addEventListener("scroll", hideTip, { passive: true });
  document.addEventListener("visibilitychange", wake);
  document.getElementById("theme").addEventListener("click", () => {
    page.theme = chosenTheme() === "dark" ? "light" : "dark";
    setTheme(page.theme);
  });
  if (document.getElementById("details").hidden) return;
  const select = document.getElementById("set");
  select.addEventListener("change", () => {
    showSet(select.value);
    announce(`Showing ${page.set.name}`);
  });
  document.getElementById("turning").addEventListener("click", () => {
    page.turning = !page.turning;
    showTurning();
  });
  document.getElementById("matrix").addEventListener("keydown", steerMatrix);
  document.getElementById("map").addEventListener("keydown", steerMap);
  showSet(select.value || 0);
  showTurning();
}

start();
