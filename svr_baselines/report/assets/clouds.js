// Point clouds as shaded surfaces in plain 2D canvases: discs into a depth buffer, one loop for all that turn.
// No WebGL: a browser keeps some sixteen contexts, and a gallery has more shapes.

const LIGHT = [-0.35, 0.8, 0.5].map((part) => part / Math.hypot(0.35, 0.8, 0.5));
const TONES = 64;
const DEPTHS = 16;
const FRAME_MS = 33;
const SPEED = 0.0006; // radians a millisecond
const PITCH = 0.32;
const DISC = 0.95; // radius of a disc in gaps between points: enough to close a surface

const turntable = {
  views: new Set(),
  turning: false,
  angle: 0.6,
  last: 0,
  request: 0,
  palette: null,
  buffers: new Map(),
};

const sight = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const view = entry.target.view;
    if (!view) continue;
    view.seen = entry.isIntersecting;
    view.stale = true;
  }
  wake();
}, { rootMargin: "80px" });

// A canvas that shows a cloud, to be turned by hand. `reach` is shared by clouds that are to have one scale.
function createView(label, load, reach = null) {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${label}. Arrow keys turn it.`);
  canvas.tabIndex = 0;
  const view = { canvas, load, cloud: null, reach, yaw: 0, pitch: PITCH, held: false, seen: false, stale: true };
  canvas.view = view;
  turntable.views.add(view);
  sight.observe(canvas);
  letTurn(view);
  return canvas;
}

function dropViews(root) {
  for (const canvas of root.querySelectorAll("canvas")) {
    if (!canvas.view) continue;
    sight.unobserve(canvas);
    turntable.views.delete(canvas.view);
  }
  root.replaceChildren();
}

function letTurn(view) {
  const { canvas } = view;
  let from = null;
  canvas.addEventListener("pointerdown", (event) => {
    from = [event.clientX, event.clientY];
    hold(view, true);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    turn(view, (event.clientX - from[0]) * 0.012, (event.clientY - from[1]) * 0.012);
    from = [event.clientX, event.clientY];
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      from = null;
      hold(view, document.activeElement === canvas && canvas.matches(":focus-visible"));
    });
  }
  canvas.addEventListener("focus", () => hold(view, canvas.matches(":focus-visible")));
  canvas.addEventListener("blur", () => hold(view, false));
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    hold(view, true);
    turn(view, ...step);
  });
}

// What a hand is on stays as it is; let go, it turns on from there.
function hold(view, held) {
  if (view.held === held) return;
  view.yaw += held ? turntable.angle : -turntable.angle;
  view.held = held;
}

function turn(view, yaw, pitch) {
  view.yaw += yaw;
  view.pitch = Math.max(-1.5, Math.min(1.5, view.pitch + pitch));
  view.stale = true;
  wake();
}

function setTurning(turning) {
  turntable.turning = turning;
  turntable.last = 0;
  wake();
}

function repaintClouds() {
  turntable.palette = null;
  for (const view of turntable.views) view.stale = true;
  wake();
}

function wake() {
  if (!turntable.request) turntable.request = requestAnimationFrame(drawFrame);
}

function drawFrame(now) {
  turntable.request = 0;
  const turning = turntable.turning && !document.hidden;
  const late = now - turntable.last;
  const due = turning && late >= FRAME_MS;
  if (due) {
    turntable.angle += turntable.last ? Math.min(late, 100) * SPEED : 0;
    turntable.last = now;
  }
  let moving = false;
  for (const view of turntable.views) {
    if (!view.seen) continue;
    const turns = turning && !view.held;
    if (view.stale || (turns && due)) drawView(view);
    moving = moving || turns;
  }
  if (moving) wake();
}

// Draws all that is on the page, seen or not: for paper.
function drawStills() {
  for (const view of turntable.views) drawView(view);
}

function drawView(view) {
  const { canvas } = view;
  const size = Math.round(canvas.clientWidth * Math.min(2, Math.max(1.5, window.devicePixelRatio || 1)));
  if (!size) return;
  if (canvas.width !== size || canvas.height !== size) canvas.width = canvas.height = size;
  view.cloud = view.cloud || view.load();
  if (!view.cloud) return;
  const yaw = view.held ? view.yaw : view.yaw + turntable.angle;
  const buffer = bufferOf(size);
  drawCloud(buffer, size, view.cloud, view.reach || view.cloud, yaw, view.pitch);
  canvas.getContext("2d").putImageData(buffer.image, 0, 0);
  view.stale = false;
}

// One for all canvases of a size.
function bufferOf(size) {
  if (!turntable.buffers.has(size)) {
    const image = new ImageData(size, size);
    const pixels = new Uint32Array(image.data.buffer);
    turntable.buffers.set(size, { image, pixels, depth: new Float32Array(size * size) });
  }
  return turntable.buffers.get(size);
}

function drawCloud(buffer, size, cloud, reach, yaw, pitch) {
  buffer.pixels.fill(0);
  buffer.depth.fill(-1e9);
  const colours = turntable.palette || (turntable.palette = makePalette());
  const [sinYaw, cosYaw, sinPitch, cosPitch] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
  const { points, normals } = cloud;
  const around = reach.around || 1;
  const height = (reach.up * Math.abs(cosPitch) + around * Math.abs(sinPitch)) || 1;
  const scale = (0.47 * size) / Math.max(around, height);
  const spans = discOf(Math.max(0.007 * size, Math.min(0.03 * size, DISC * cloud.gap * scale)));
  for (let i = 0; i < points.length; i += 3) {
    const [px, py, pz] = [points[i], points[i + 1], points[i + 2]];
    const turned = pz * cosYaw - px * sinYaw;
    const x = px * cosYaw + pz * sinYaw;
    const y = py * cosPitch - turned * sinPitch;
    const z = py * sinPitch + turned * cosPitch;
    const tone = toneOf(3 * normals[i / 3], sinYaw, cosYaw, sinPitch, cosPitch);
    const far = Math.max(0, Math.min(DEPTHS - 1, Math.floor(((1 - z / around) / 2) * DEPTHS)));
    const colour = colours[tone * DEPTHS + far];
    const column = Math.round(size / 2 + x * scale);
    const row = Math.round(size / 2 - y * scale);
    paintDisc(buffer, size, spans, row, column, z, colour);
  }
}

// The pixels of a disc, where nothing nearer is.
function paintDisc({ pixels, depth }, size, spans, row, column, z, colour) {
  const radius = (spans.length - 1) / 2;
  for (let dy = -radius; dy <= radius; dy++) {
    const line = row + dy;
    if (line < 0 || line >= size) continue;
    const half = spans[dy + radius];
    const first = line * size + Math.max(0, column - half);
    const last = line * size + Math.min(size - 1, column + half);
    for (let at = first; at <= last; at++) {
      if (z > depth[at]) {
        depth[at] = z;
        pixels[at] = colour;
      }
    }
  }
}

// Lambert, of normals without a sign: each is taken to face the viewer.
function toneOf(normal, sinYaw, cosYaw, sinPitch, cosPitch) {
  const nx = DIRECTIONS[normal];
  const ny = DIRECTIONS[normal + 1];
  const nz = DIRECTIONS[normal + 2];
  const turned = nz * cosYaw - nx * sinYaw;
  const z = ny * sinPitch + turned * cosPitch;
  const side = z < 0 ? -1 : 1;
  const lit = side * (LIGHT[0] * (nx * cosYaw + nz * sinYaw) + LIGHT[1] * (ny * cosPitch - turned * sinPitch) + LIGHT[2] * z);
  return Math.round(Math.max(0, lit) * (TONES - 1));
}

// Half the width of each line of a disc.
function discOf(radius) {
  const whole = Math.floor(radius);
  return Array.from({ length: 2 * whole + 1 }, (_, i) => Math.floor(Math.sqrt(radius * radius - (i - whole) ** 2)));
}

// Colours by light and depth: what the light adds beyond full colour is white, what is far fades to the paper.
function makePalette() {
  const base = readColour("--shape");
  const paper = readColour("--paper");
  const colours = new Uint32Array(TONES * DEPTHS);
  for (let tone = 0; tone < TONES; tone++) {
    const light = 0.6 + (0.52 * tone) / (TONES - 1);
    const white = Math.max(0, light - 0.8);
    for (let far = 0; far < DEPTHS; far++) {
      const fade = (0.3 * far) / (DEPTHS - 1);
      const [r, g, b] = base.map((part, i) => {
        const lit = Math.min(255, part * light);
        return Math.round((lit + white * (255 - lit)) * (1 - fade) + paper[i] * fade);
      });
      colours[tone * DEPTHS + far] = (255 << 24) | (b << 16) | (g << 8) | r;
    }
  }
  return colours;
}

function readColour(name) {
  const text = styleOf(name);
  return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
}

function styleOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
