// The medoids: what is recited, the largest cluster first, and who belongs to each.

const FIRST_CARDS = 24;
const FIRST_MEMBERS = 48;

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function percent(part, whole) {
  const share = (100 * part) / whole;
  return share > 0 && share < 0.5 ? "< 1 %" : `${Math.round(share)} %`;
}

function plural(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

function precise(value) {
  return value === 0 ? "0" : value.toPrecision(3);
}

function categoryOf(set, position) {
  return set.categories.names[set.categories.of[position]] || "";
}

// Id and category; an id that already begins with its category says it.
function nameOf(set, position) {
  const id = set.ids[position];
  const category = categoryOf(set, position);
  return category && !id.startsWith(`${category}/`) ? `${id} (${category})` : id;
}

function clusterOf(set, position) {
  let cluster = 0;
  while (cluster + 1 < set.starts.length && set.starts[cluster + 1] <= position) cluster++;
  return cluster;
}

// The cloud at a position: a medoid's own, which has more points, else a member's.
function cloudAt(set, position) {
  const cluster = set.starts.indexOf(position);
  const encoded = (cluster >= 0 && set.medoids[cluster]) || (set.members && set.members.clouds[position]);
  return encoded ? decodeCloud(encoded) : null;
}

function hasCloud(set, position) {
  if (!set.medoids) return false;
  return Boolean(set.members) || set.starts.slice(0, set.medoids.length).includes(position);
}

function pictureOf(set, position, label) {
  if (!hasCloud(set, position)) return make("div", { className: "gap", textContent: "not drawn" });
  return createView(label, () => cloudAt(set, position));
}

function renderGallery(set) {
  const list = document.getElementById("gallery");
  const total = set.ids.length;
  const largest = percent(set.sizes[0], total);
  document.getElementById("gallery-text").textContent =
    `${plural(total, set.noun)} in ${plural(set.starts.length, "cluster")}. Each is shown by its medoid, with its share ` +
    `of all; the largest holds ${largest}.`;
  dropViews(list);
  const more = document.getElementById("all-medoids");
  const addCards = (from, to) => {
    for (let cluster = from; cluster < to; cluster++) list.append(makeCard(set, cluster));
  };
  addCards(0, Math.min(FIRST_CARDS, set.starts.length));
  more.hidden = set.starts.length <= FIRST_CARDS;
  more.textContent = `Show all ${set.starts.length} clusters`;
  more.onclick = () => {
    addCards(FIRST_CARDS, set.starts.length);
    more.hidden = true;
    list.children[FIRST_CARDS].querySelector("button").focus();
  };
}

function makeCard(set, cluster) {
  const [position, size] = [set.starts[cluster], set.sizes[cluster]];
  const share = percent(size, set.ids.length);
  const name = nameOf(set, position);
  const picture = pictureOf(set, position, `Medoid of cluster ${cluster + 1}: ${name}, ${share} of all`);
  const fill = make("i");
  fill.style.width = `${(100 * size) / set.ids.length}%`;
  const button = make("button", { type: "button", textContent: plural(size, set.noun), className: "open" });
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-label", `Cluster ${cluster + 1}, ${name}: list its ${plural(size, set.noun)}`);
  const card = make(
    "li",
    { className: "card" },
    picture,
    make("p", { className: "share-text", textContent: share }),
    make("div", { className: "fill" }, fill),
    make("p", { className: "name", textContent: name }),
    button,
  );
  button.addEventListener("click", () => toggleMembers(set, cluster, card, button));
  return card;
}

// One cluster is open at a time; its members stand in a row of their own after the card.
function toggleMembers(set, cluster, card, button) {
  const open = button.getAttribute("aria-expanded") === "true";
  closeMembers();
  if (open) return;
  button.setAttribute("aria-expanded", "true");
  card.classList.add("chosen");
  const panel = makeMembers(set, cluster, () => {
    closeMembers();
    button.focus();
  });
  button.setAttribute("aria-controls", panel.id);
  card.after(panel);
  announce(`Cluster ${cluster + 1}: ${plural(set.sizes[cluster], set.noun)} listed`);
}

function closeMembers() {
  const panel = document.getElementById("members");
  if (!panel) return;
  dropViews(panel);
  panel.remove();
  for (const button of document.querySelectorAll('.open[aria-expanded="true"]')) {
    button.setAttribute("aria-expanded", "false");
    button.removeAttribute("aria-controls");
    button.closest(".card").classList.remove("chosen");
  }
}

function makeMembers(set, cluster, close) {
  const [start, size] = [set.starts[cluster], set.sizes[cluster]];
  const distances = set.to_medoid ? decodeFloat32(set.to_medoid) : null;
  const list = make("ul", { className: set.members ? "" : "named" });
  const more = make("button", { type: "button", textContent: `Show all ${size}` });
  const add = (from, to) => {
    for (let at = start + from; at < start + to; at++) list.append(makeMember(set, at, distances));
  };
  add(0, Math.min(size, FIRST_MEMBERS));
  more.hidden = size <= FIRST_MEMBERS;
  more.addEventListener("click", () => {
    add(FIRST_MEMBERS, size);
    more.hidden = true;
  });
  const shut = make("button", { type: "button", textContent: "Close" });
  shut.addEventListener("click", close);
  const order = distances ? ", nearest to the medoid first" : "";
  const heading = make("h4", { textContent: `Cluster ${cluster + 1}: ${plural(size, set.noun)}${order}` });
  const panel = make("li", { id: "members", className: "members" }, make("div", { className: "top" }, heading, shut), list, more);
  panel.addEventListener("keydown", (event) => event.key === "Escape" && close());
  return panel;
}

function makeMember(set, position, distances) {
  const item = make("li");
  if (set.members) item.append(pictureOf(set, position, nameOf(set, position)));
  item.append(make("p", { textContent: nameOf(set, position) }));
  const medoid = set.starts.includes(position);
  const text = medoid ? "the medoid" : distances ? `${precise(distances[position])} away` : "";
  item.append(make("p", { className: "hint", textContent: text }));
  return item;
}
