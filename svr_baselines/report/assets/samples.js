// Input, ground truth and prediction side by side.

const GROUPS = { worst: "The worst", median: "Around the median" };

function renderSamples(set) {
  const place = document.getElementById("samples");
  document.getElementById("samples-section").hidden = !set.samples;
  dropViews(place);
  if (!set.samples) return;
  for (const [key, heading] of Object.entries(GROUPS)) {
    if (!set.samples[key].length) continue;
    const cards = set.samples[key].map((sample) => makeSample(set, sample));
    place.append(make("h4", { className: "group", textContent: heading }));
    place.append(make("ul", { className: "samples" }, ...cards));
  }
}

function makeSample(set, sample) {
  const name = nameOf(set, sample.position);
  const clouds = { truth: decodeCloud(sample.truth), prediction: decodeCloud(sample.prediction) };
  const reach = {
    around: Math.max(clouds.truth.around, clouds.prediction.around),
    up: Math.max(clouds.truth.up, clouds.prediction.up),
  };
  const trio = make("div", { className: "trio" });
  if (sample.image) {
    trio.append(make("div", {}, make("img", { src: sample.image, alt: `Input image of ${name}` }), make("p", { textContent: "input" })));
  }
  for (const [key, label] of [["truth", "ground truth"], ["prediction", "prediction"]]) {
    const canvas = createView(`${label} of ${name}`, () => clouds[key], reach);
    trio.append(make("div", {}, canvas, make("p", { textContent: label })));
  }
  const rank = `${sample.rank.toLocaleString("en")} of ${set.ids.length.toLocaleString("en")} from the worst`;
  const caption = `Chamfer distance ${precise(sample.chamfer)}, ${rank}`;
  return make("li", { className: "sample" }, make("h5", { textContent: name }), trio, make("p", { className: "caption", textContent: caption }));
}
