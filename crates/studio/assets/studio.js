"use strict";

const $ = (id) => document.getElementById(id);
const [image, cursor] = [$("image"), $("cursor")];
const page = { session: null, shape: null, view: "image", tool: "paint", report: null, ends: [0, 1], at: [0, 0], last: null };

/* Requests go one at a time, in order, so that no answer overtakes another. What a gesture adds while an answer is
   awaited is sent in one piece. */
const waiting = [];
let busy = false;

function fail(text) {
  $("error").textContent = text;
  $("error").hidden = !text;
}

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({ error: answer.statusText }));
    throw Object.assign(new Error(said.error), { status: answer.status });
  }
  const bytes = await answer.arrayBuffer();
  const length = new DataView(bytes).getUint32(0, true);
  const report = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  return [report, new Uint8ClampedArray(bytes.slice(4 + length))];
}

function begin(report) {
  page.session = report.session;
  page.shape = report.shape;
  const [, height, width] = report.shape;
  for (const canvas of [image, cursor]) [canvas.width, canvas.height] = [width, height];
  page.at = [Math.floor(height / 2), Math.floor(width / 2)];
  $("description").textContent = report.description;
  components(report.spectrum);
}

/* The link in the address bar: at once, but on average twice a second. Browsers refuse more than 100 changes in 30 s, by an exception or without
   a word, and a drag would make as many in two. */
const BUDGET = 20;
let [budget, counted, later] = [BUDGET, Date.now(), 0];
function address() {
  clearTimeout(later);
  const now = Date.now();
  [budget, counted] = [Math.min(BUDGET, budget + (now - counted) / 500), now];
  if (budget < 1) {
    later = setTimeout(address, 500);
    return;
  }
  budget -= 1;
  try {
    history.replaceState(null, "", "#" + page.report.link);
  } catch {
    // The image is what matters; the next answer tries again.
  }
}

function show(report, pixels) {
  page.report = report;
  const [, height, width] = page.shape;
  image.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  address();
  const { noise } = report;
  const what = { mean: "mean", sample: `sample ${noise.number}`, path: "between samples" }[noise.kind];
  const paint = report.painted ? `, ${report.painted} pixels painted${report.locked ? `, ${report.locked} locked` : ""}` : "";
  const scale = report.scale == null ? "" : `, white is ±${report.scale.toFixed(3)}`;
  $("status").textContent = `Code ${report.latent}, ${what}${paint}${scale}. ${report.milliseconds.toFixed(1)} ms on the server.`;
  $("undo").disabled = report.undo === 0;
  $("redo").disabled = report.redo === 0;
  $("clear").disabled = report.painted === report.locked;
  $("lock").disabled = report.painted === 0;
  $("lock").setAttribute("aria-pressed", String(report.locked > 0));
  $("path").value = noise.kind === "path" ? noise.t : 0;
  if (noise.kind === "path") page.ends = [noise.from, noise.to];
  [$("from").textContent, $("to").textContent] = page.ends.map((n) => `sample ${n}`);
  $("save").href = `api/sessions/${page.session}/image.png?view=${page.view}`;
  for (const slider of document.querySelectorAll("#components input")) {
    const value = report.scales.length ? report.scales[slider.dataset.component] : 1;
    if (slider !== document.activeElement) slider.value = value;
    slider.nextElementSibling.textContent = value.toFixed(1);
  }
  for (const view of ["image", "uncertainty", "difference"]) {
    $("view-" + view).setAttribute("aria-pressed", String(page.view === view));
  }
}

/* Whether the step of the gesture in progress is over: what follows of it is a step of its own. */
let over = false;
/* Grows with each other link; answers to what was asked before are not shown. */
let turn = 0;

function send(action, more = false) {
  if (over) more = false;
  over = action?.do === "undo" || action?.do === "redo";
  const before = waiting[waiting.length - 1];
  const same = action && before?.action && before.more && more && before.action.do === action.do;
  if (same && action.do === "paint" && String(before.action.color) === String(action.color)) {
    before.action.pixels = [...new Set([...before.action.pixels, ...action.pixels])];
  } else if (same && action.do === "scale" && before.action.component === action.component) {
    before.action = action;
  } else if (same && action.do === "noise") {
    before.action = action;
  } else {
    waiting.push({ action, more });
  }
  return next();
}

async function next() {
  if (busy || !waiting.length) return;
  busy = true;
  const asked = turn;
  const { link, action, more } = waiting.shift();
  try {
    const fresh = link !== undefined;
    const [path, body] = fresh ? ["", { link }] : [`/${page.session}`, { action, more }];
    const [report, pixels] = await post("api/sessions" + path, { ...body, view: page.view });
    if (asked === turn) {
      fail("");
      if (fresh) begin(report);
      show(report, pixels);
    }
  } catch (error) {
    if (asked === turn) {
      waiting.length = 0;
      over = true;
      fail(error.status ? error.message : `the studio does not answer; is it still running? (${error.message})`);
    }
  }
  busy = false;
  next();
}

/* Sliders. */

function components(spectrum) {
  const sliders = spectrum.map((deviation, k) => {
    const label = document.createElement("label");
    const name = document.createElement("span");
    name.textContent = k + 1;
    const slider = Object.assign(document.createElement("input"), { type: "range", min: -5, max: 5, step: 0.1, value: 1 });
    slider.dataset.component = k;
    slider.setAttribute("aria-label", `Component ${k + 1}, standard deviation ${deviation.toPrecision(3)}`);
    gesture(slider, () => ({ do: "scale", component: k, value: Number(slider.value) }));
    label.append(name, slider, document.createElement("output"));
    return label;
  });
  $("components").replaceChildren(...sliders);
}

/* A drag of a slider is one step to undo. */
function gesture(slider, action) {
  let more = false;
  slider.addEventListener("input", () => {
    send(action(), more);
    more = true;
  });
  slider.addEventListener("change", () => (more = false));
}

gesture($("path"), () => ({ do: "noise", noise: { kind: "path", from: page.ends[0], to: page.ends[1], t: Number($("path").value) } }));

/* Samples. */

let newest = 1;
function sample() {
  const { noise } = page.report;
  newest = Math.max(newest, ...page.ends, noise.number ?? 0) + 1;
  send({ do: "noise", noise: { kind: "sample", number: newest } });
}
function end(which) {
  const { noise } = page.report;
  const number = { sample: noise.number, path: noise.t < 0.5 ? noise.from : noise.to }[noise.kind];
  if (number === undefined) return fail("draw a sample first: the mean is not one");
  page.ends[which] = number;
  const [from, to] = page.ends;
  send({ do: "noise", noise: { kind: "path", from, to, t: which } });
}

/* Painting. */

function brush([row, column]) {
  const [, height, width] = page.shape;
  const radius = Number($("brush").value);
  const pixels = [];
  for (let y = Math.max(0, row - radius); y <= Math.min(height - 1, row + radius); y++) {
    for (let x = Math.max(0, column - radius); x <= Math.min(width - 1, column + radius); x++) {
      if ((y - row) ** 2 + (x - column) ** 2 <= (radius + 0.3) ** 2) pixels.push(y * width + x);
    }
  }
  return pixels;
}

function color() {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt($("color").value.slice(at, at + 2), 16) / 255);
  return page.shape[0] === 1 ? [0.299 * r + 0.587 * g + 0.114 * b] : [r, g, b];
}

function touch(places, more) {
  const pixels = [...new Set(places.flatMap(brush))];
  if (page.tool === "pick") {
    const [row, column] = places[places.length - 1];
    const [r, g, b] = image.getContext("2d").getImageData(column, row, 1, 1).data;
    $("color").value = "#" + [r, g, b].map((v) => v.toString(16).padStart(2, "0")).join("");
    return tool("paint");
  }
  if (page.tool === "erase") return send({ do: "erase", pixels }, more);
  const ink = image.getContext("2d");
  ink.fillStyle = $("color").value;
  // At once; the answer follows.
  if (page.view === "image") for (const p of pixels) ink.fillRect(p % page.shape[2], Math.floor(p / page.shape[2]), 1, 1);
  send({ do: "paint", pixels, color: color() }, more);
}

function place(event) {
  const box = cursor.getBoundingClientRect();
  const at = (offset, size, count) => Math.min(count - 1, Math.max(0, Math.floor((offset / size) * count)));
  return [at(event.clientY - box.top, box.height, cursor.height), at(event.clientX - box.left, box.width, cursor.width)];
}

/* All places between two, so that a fast stroke has no gaps. */
function between([y0, x0], [y1, x1]) {
  const steps = Math.max(Math.abs(y1 - y0), Math.abs(x1 - x0), 1);
  return Array.from({ length: steps + 1 }, (_, k) => [Math.round(y0 + ((y1 - y0) * k) / steps), Math.round(x0 + ((x1 - x0) * k) / steps)]);
}

function mark(shown) {
  const context = cursor.getContext("2d");
  context.clearRect(0, 0, cursor.width, cursor.height);
  if (!shown) return;
  context.fillStyle = "rgba(127, 127, 127, 0.6)";
  for (const p of brush(page.at)) context.fillRect(p % cursor.width, Math.floor(p / cursor.width), 1, 1);
}

cursor.addEventListener("pointerdown", (event) => {
  if (!page.shape || event.button) return;
  cursor.setPointerCapture(event.pointerId);
  page.last = place(event);
  touch([page.last], false);
});
cursor.addEventListener("pointermove", (event) => {
  if (!page.shape) return;
  page.at = place(event);
  mark(true);
  if (!page.last) return;
  touch(between(page.last, page.at), true);
  page.last = page.at;
});
for (const over of ["pointerup", "pointercancel"]) cursor.addEventListener(over, () => (page.last = null));
cursor.addEventListener("pointerleave", () => mark(document.activeElement === cursor));
cursor.addEventListener("focus", () => page.shape && mark(cursor.matches(":focus-visible")));
cursor.addEventListener("blur", () => mark(false));

cursor.addEventListener("keydown", (event) => {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  if (!page.shape) return;
  if (step) {
    const limits = [page.shape[1], page.shape[2]];
    page.at = page.at.map((v, axis) => Math.min(limits[axis] - 1, Math.max(0, v + step[axis])));
    mark(true);
  } else if (event.key === " " || event.key === "Enter") {
    touch([page.at], event.repeat);
  } else return;
  event.preventDefault();
});

/* Buttons and keys. */

function tool(name) {
  page.tool = name;
  for (const other of ["paint", "erase", "pick"]) $("tool-" + other).setAttribute("aria-pressed", String(other === name));
}

function view(name) {
  page.view = page.view === name ? "image" : name;
  send(null);
}

const commands = {
  latent: () => send({ do: "latent", number: page.report.latent + 1 }),
  sample,
  mean: () => send({ do: "noise", noise: { kind: "mean" } }),
  "set-from": () => end(0),
  "set-to": () => end(1),
  undo: () => send({ do: "undo" }),
  redo: () => send({ do: "redo" }),
  clear: () => send({ do: "clear" }),
  lock: () => send({ do: $("lock").getAttribute("aria-pressed") === "true" ? "unlock" : "lock" }),
  reset: () => send({ do: "reset_scales" }),
  "tool-paint": () => tool("paint"),
  "tool-erase": () => tool("erase"),
  "tool-pick": () => tool("pick"),
  "view-image": () => page.view !== "image" && view("image"),
  "view-uncertainty": () => view("uncertainty"),
  "view-difference": () => view("difference"),
  copy: () =>
    navigator.clipboard.writeText(location.href.split("#")[0] + "#" + page.report.link).then(
      () => ($("status").textContent = "The link is copied."),
      () => fail("the browser does not let the page copy; the link is in the address bar"),
    ),
};
for (const [id, command] of Object.entries(commands)) $(id).addEventListener("click", () => page.session && command());
$("brush").addEventListener("input", () => ($("brush-size").textContent = $("brush").value));

const keys = { n: "latent", s: "sample", m: "mean", l: "lock", u: "view-uncertainty", d: "view-difference", p: "tool-paint", e: "tool-erase", i: "tool-pick" };
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input[type=text]") || !page.session) return;
  const key = event.key.toLowerCase();
  const control = event.ctrlKey || event.metaKey;
  const name = control ? { z: event.shiftKey ? "redo" : "undo", y: "redo" }[key] : event.altKey ? null : keys[key];
  if (!name || $(name).disabled) return;
  event.preventDefault();
  $(name).click();
});

/* Another link in the same tab. */
window.addEventListener("hashchange", () => page.report && location.hash.slice(1) !== page.report.link && restart());

function restart() {
  clearTimeout(later);
  turn += 1;
  waiting.length = 0;
  waiting.push({ link: location.hash.slice(1) });
  next();
}
restart();
