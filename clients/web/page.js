// page.js - the front-end at "/": reads GET /models, builds the controls from it, posts /sample and
// draws the answer. It keeps no list of models, samplers or options of its own: what the daemon
// describes is what can be asked, and what the daemon refuses is shown in the daemon's words.
"use strict";

const IN_TURN = "in turn"; // the value of the class control that deals the classes out one by one
const PALETTE = ["#4c78d8", "#e0793a", "#3aa17e", "#c94f7c", "#8e6bd1", "#b8952a", "#3c9fc4", "#8a8f99", "#6d9a3b", "#c0504d"];
const CLASSES_MAX = 1000; // that a list can show
const DEFAULT_COUNT = { pictures: 12, points: 2000 };
const PANELS = 6; // of the reverse process of points, about

const byId = (id) => document.getElementById(id);
const form = byId("form");
const control = (name) => form.elements.namedItem(name);
const state = { models: [], running: null, redraw: null, file: null };

function element(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

const isPoints = (model) => model.shape.length === 1;
const currentModel = () => state.models.find((model) => model.name === control("model").value);
const currentSampler = () => currentModel().samplers.find((sampler) => sampler.name === control("sampler").value);
const takesGuidance = (model) => model.limits.guidance > 1; // which needs an answer without a class
// Names, or numbers where a class has none; the class that means "no class" is not one of them.
const classesOf = (model) => Array.from({ length: Math.min(model.class_count, CLASSES_MAX) }, (_, index) => model.classes[index] ?? index)
  .filter((_, index) => index !== model.null_class);

// ---- the daemon ---------------------------------------------------------------------------------

// Resolves to what is read of the answer; rejects with a problem (RFC 9457) or, after a stop, an AbortError.
async function ask(path, options, read = (response) => response.json()) {
  const passAbort = (error) => { if (error.name === "AbortError") throw error; };
  const response = await fetch(path, options).catch(passAbort);
  if (!response) throw { detail: `The daemon at ${location.origin} does not answer. Is it still running?` };
  const body = await (response.ok ? read(response) : response.json()).catch(passAbort);
  if (response.ok && body) return body;
  const problem = body?.detail ? body : { detail: `The daemon's answer (status ${response.status}) broke off or cannot be read.` };
  throw { ...problem, retryAfter: response.headers.get("Retry-After") };
}

async function loadModels() {
  hideFault();
  try {
    const answer = await ask("models");
    state.models = answer.models;
    listModels(answer.default);
    say("Ready: press Generate.");
  } catch (problem) {
    say("");
    showFault(problem, loadModels);
  }
}

// ---- controls -----------------------------------------------------------------------------------

function listModels(preferred) {
  const groups = [["Pictures", state.models.filter((model) => !isPoints(model))], ["Points", state.models.filter(isPoints)]];
  control("model").replaceChildren(...groups.filter(([, models]) => models.length > 0).map(([label, models]) =>
    element("optgroup", { label }, ...models.map((model) => new Option(model.title || model.name, model.name)))));
  control("model").value = preferred;
  control("model").disabled = byId("generate").disabled = state.models.length === 0;
  showModel();
}

function showModel() {
  const model = currentModel();
  if (!model) return;
  byId("about").textContent = [model.description, model.licence && `Licence: ${model.licence}.`].filter(Boolean).join(" ");
  listClasses(model);
  control("sampler").replaceChildren(...model.samplers.map((sampler) => new Option(sampler.name, sampler.name)));
  control("guidance").max = model.limits.guidance;
  control("sampler").value = model.default.sampler;
  control("n").max = model.limits.n;
  control("n").value = Math.min(isPoints(model) ? DEFAULT_COUNT.points : DEFAULT_COUNT.pictures, model.limits.n);
  control("steps").max = model.limits.steps;
  control("steps").value = model.default.steps;
  control("guidance").value = model.default.guidance ?? 1;
  byId("guidance-label").hidden = !takesGuidance(model);
  byId("trajectory-label").hidden = !model.formats.includes("apng");
  showOptions();
}

function listClasses(model) {
  const names = classesOf(model);
  const choices = names.map((name, index) => new Option(name, index));
  if (names.length > 1) choices.unshift(new Option("each in turn", IN_TURN));
  if (takesGuidance(model)) choices.unshift(new Option("any", ""));
  control("class").replaceChildren(...choices);
  control("class").value = names.length > 1 && !isPoints(model) ? IN_TURN : 0;
  byId("class-label").hidden = names.length === 0;
}

function showOptions() {
  control("sampler").title = currentSampler().title;
  byId("options").replaceChildren(...currentSampler().options.map(optionControl));
  refresh();
}

function optionControl(option) {
  const label = option.name[0].toUpperCase() + option.name.slice(1).replaceAll("_", " ");
  const title = option.help ?? "";
  if (option.choices) {
    const select = element("select", { name: option.name }, ...option.choices.map((choice) => new Option(choice, choice)));
    select.value = option.default;
    return element("label", { title }, label, select);
  }
  if (typeof option.default === "boolean") {
    const box = element("input", { type: "checkbox", name: option.name, checked: option.default });
    return element("label", { title, className: "check" }, box, label);
  }
  const step = option.type === "integer" ? 1 : 0.1;
  return element("label", { title }, label,
    element("input", { type: "number", name: option.name, min: option.min, max: option.max, step, value: option.default }));
}

function readOption(option) {
  const input = control(option.name);
  if (option.choices) return input.value;
  return typeof option.default === "boolean" ? input.checked : readNumber(option.name);
}

// An empty field is left out of the request: the daemon's default holds.
function readNumber(name) {
  const value = control(name).valueAsNumber;
  return Number.isNaN(value) ? undefined : value;
}

function readClass(model, count) {
  const choice = control("class").value;
  const names = classesOf(model);
  if (choice !== IN_TURN) return choice === "" ? null : names[choice];
  // A count that will be refused gets no array: one fault in the answer, not two.
  if (!Number.isInteger(count) || count < 1 || count > model.limits.n) return names[0];
  return Array.from({ length: count }, (_, index) => names[index % names.length]);
}

function readRequest() {
  const model = currentModel();
  const body = { model: model.name, n: readNumber("n"), seed: readNumber("seed") };
  if (model.class_count > 0) body.class = readClass(model, body.n);
  if (takesGuidance(model) && body.class !== null) body.guidance = readNumber("guidance");
  body.sampler = control("sampler").value;
  body.steps = readNumber("steps");
  for (const option of currentSampler().options) {
    const value = readOption(option);
    if (value !== option.default) body[option.name] = value;
  }
  return readNumber("to") === undefined ? body : interpolated(body);
}

// With another seed to go to, the samples lie on the way there.
const interpolated = ({ n, seed, ...rest }) => ({ ...rest, interpolate: { from: seed, to: readNumber("to"), frames: n } });

// Of a request or of the params that an answer tells.
const countIn = ({ n, interpolate }) => interpolate?.frames ?? n ?? 1;
const seedIn = ({ seed, seeds, interpolate }) => interpolate ? `${interpolate.from}-to-${interpolate.to}` : seed ?? seeds?.[0] ?? "sample";

const showsProcess = (model) => control("trajectory").checked && model.formats.includes("apng");

// What the reverse process is shown as: pictures move, points stand in panels side by side.
function processFormat(model, steps) {
  if (!isPoints(model)) return { format: "apng" };
  return { format: "png", trajectory: Math.max(1, Math.ceil((steps ?? model.default.steps) / (PANELS - 1))) };
}

function drawSeed() {
  control("seed").value = crypto.getRandomValues(new Uint32Array(1))[0];
}

// Everything that follows from the controls' values.
function refresh() {
  if (!currentModel()) return;
  control("guidance").disabled = control("class").value === "" && takesGuidance(currentModel());
  byId("command").textContent = curlCommand();
}

function curlCommand() {
  const model = currentModel();
  const request = readRequest();
  const format = model.formats.includes("png") ? "png" : "json";
  const body = { ...request, ...(showsProcess(model) ? processFormat(model, request.steps) : { format }) };
  const quoted = JSON.stringify(body).replaceAll("'", "'\\''");
  return `curl -sS --fail-with-body ${location.origin}/sample \\\n  -H 'Content-Type: application/json' \\\n` +
    `  -d '${quoted}' \\\n  -o ${model.name}-${seedIn(body)}.${body.format}`;
}

async function copyCommand() {
  try {
    await navigator.clipboard.writeText(byId("command").textContent);
    say("The curl command is copied.");
  } catch { // no clipboard outside localhost and https
    getSelection().selectAllChildren(byId("command"));
    say("The curl command is selected: copy it with Ctrl+C.");
  }
}

// ---- sampling -----------------------------------------------------------------------------------

async function generate() {
  if (state.running || !currentModel()) return;
  if (control("random").checked) drawSeed();
  refresh();
  hideFault();
  const model = currentModel();
  const request = readRequest();
  const process = showsProcess(model);
  const body = { ...request, ...(process ? processFormat(model, request.steps) : { format: "json", encoding: isPoints(model) ? "array" : "png" }) };
  const started = performance.now();
  setRunning(new AbortController());
  say(`Sampling ${countOf(model, countIn(body))} …`);
  try {
    const answer = await ask("sample", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal: state.running.signal,
    }, process ? (response) => response.blob() : undefined);
    const seconds = (performance.now() - started) / 1000;
    if (process) await showProcess(model, body, answer, seconds);
    else showAnswer(model, answer, seconds);
  } catch (problem) {
    say(problem.name === "AbortError" ? "Stopped." : "");
    if (problem.name !== "AbortError") showFault(problem);
  } finally {
    setRunning(null);
  }
}

function setRunning(running) {
  state.running = running;
  byId("generate").disabled = running !== null;
  byId("stop").hidden = byId("progress").hidden = running === null;
}

// ---- answers ------------------------------------------------------------------------------------

function say(text) {
  byId("status").textContent = text;
}

function hideFault() {
  byId("fault").hidden = true;
  for (const input of form.elements) input.removeAttribute("aria-invalid");
}

function showFault(problem, again) {
  const lines = (problem.errors ?? []).map(({ pointer, detail }) => {
    const field = pointer.split("/")[1];
    if (field) control(field === "interpolate" ? "to" : field)?.setAttribute("aria-invalid", "true");
    return element("li", {}, field ? `${field}: ${detail}` : detail);
  });
  const wait = problem.retryAfter ? ` Try again in ${problem.retryAfter} s.` : "";
  const fault = byId("fault");
  fault.replaceChildren(element("p", {}, `${problem.detail ?? problem.message}${wait}`));
  if (lines.length > 0) fault.append(element("ul", {}, ...lines));
  if (again) fault.append(element("button", { type: "button", onclick: again }, "Try again"));
  fault.hidden = false;
}

const countOf = (model, n) => `${n} ${isPoints(model) ? "points" : n === 1 ? "picture" : "pictures"}`;
const duration = (ms) => ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;

function showAnswer(model, answer, seconds) {
  const { params, timing } = answer;
  const parts = [`${countOf(model, countIn(params))} in ${seconds.toFixed(2)} s`,
    `${params.sampler}, ${params.steps} steps`];
  if (timing) parts.push(`queue ${duration(timing.queue_ms)}, denoise ${duration(timing.denoise_ms)}, encode ${duration(timing.encode_ms)}`);
  say(parts.join(" · "));
  keepFile(null);
  if (isPoints(model)) showPoints(model, answer);
  else showPictures(model, answer.samples);
  byId("result").scrollIntoView({ block: "nearest" });
}

// The file of the answer before is let go of.
function keepFile(blob) {
  if (state.file) URL.revokeObjectURL(state.file);
  state.file = blob && URL.createObjectURL(blob);
  return state.file;
}

async function showProcess(model, body, blob, seconds) {
  const points = isPoints(model);
  const source = keepFile(blob);
  const count = countOf(model, countIn(body));
  const way = !points && body.interpolate !== undefined;
  const title = way ? `From seed to seed in ${count}` : `The reverse process of ${count}`;
  const words = way ? "Each picture begins with noise on the way between the two seeds'." : points
    ? "Above x_t, as the sampler has it; below the x_0 that is predicted from it. On the right the sample."
    : "Left x_t, as the sampler has it; right the x_0 that is predicted from it. It ends with the sample.";
  const image = element("img", { src: source, alt: `${model.name}: ${title}` });
  state.redraw = null;
  say(`${title} in ${seconds.toFixed(2)} s · ${body.sampler}, ${body.steps ?? model.default.steps} steps`);
  await image.decode();
  if (!points) image.width = image.naturalWidth * (model.preview_scale ?? 1);
  const save = element("a", { href: source, download: `${model.name}-${seedIn(body)}-process.${body.format}`, className: "save" },
    points ? "Save the panels" : "Save the animation");
  byId("result").replaceChildren(element("figure", { className: points ? "panels" : "" },
    element("div", { className: "strip", tabIndex: 0 }, image), element("figcaption", {}, words), save));
  byId("result").scrollIntoView({ block: "nearest" });
}

function showPictures(model, samples) {
  const scale = model.preview_scale ?? 1;
  state.redraw = null;
  byId("result").replaceChildren(element("div", { className: "pictures" }, ...samples.map((sample) => {
    const source = `data:image/png;base64,${sample.png}`;
    const words = [sample.seed === null ? "between" : `seed ${sample.seed}`, sample.class].filter((word) => word !== null && word !== undefined).join(" · ");
    const image = element("img", { src: source, width: sample.width * scale, height: sample.height * scale, alt: `${model.name}, ${words}` });
    const link = element("a", { href: source, download: `${model.name}-${sample.seed ?? `between-${sample.index}`}.png`, title: "Save this picture" }, image);
    return element("figure", {}, link, element("figcaption", {}, words));
  })));
}

// ---- points -------------------------------------------------------------------------------------

function showPoints(model, { points, params }) {
  const side = 2 * Math.min(608, byId("result").clientWidth); // two dots to each of the style sheet's pixels
  const canvas = element("canvas", { width: side, height: side });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${points.length} points of ${model.name}`);
  const names = classesOf(model);
  const classOf = (index) => Array.isArray(params.class) ? params.class[index] : params.class;
  const colourOf = (name) => PALETTE[Math.max(0, names.indexOf(name)) % PALETTE.length];
  const colours = points.map((_, index) => colourOf(classOf(index)));
  const draw = model.shape[0] === 1 ? drawHistogram : drawScatter;
  state.redraw = () => draw(plotFrame(canvas, model), points, colours);
  state.redraw();
  const note = [`seed ${seedIn(params).toString().replaceAll("-", " ")}`, model.shape[0] > 2 && `the first two of ${model.shape[0]} coordinates`].filter(Boolean).join(" · ");
  const legend = names.filter((name) => Array.isArray(params.class) && params.class.includes(name)).map((name) => {
    const dot = element("span", {}, "●");
    dot.style.color = colourOf(name);
    return element("span", { className: "key" }, dot, ` ${name}`);
  });
  byId("result").replaceChildren(element("figure", {}, canvas, element("figcaption", {}, note, ...legend)));
}

// Clears the canvas, draws the axes of the model's view, and returns how to put a point on it.
function plotFrame(canvas, model) {
  const [x0, x1, y0, y1] = [...model.view, 0, 1]; // one coordinate has no second axis
  const margin = 70;
  const side = canvas.width - 2 * margin;
  const context = canvas.getContext("2d");
  const style = getComputedStyle(document.body);
  const x = (value) => margin + (value - x0) / (x1 - x0) * side;
  const y = (value) => margin + (y1 - value) / (y1 - y0) * side;
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.font = `26px ${style.fontFamily}`;
  context.fillStyle = style.getPropertyValue("--soft");
  context.strokeStyle = style.getPropertyValue("--line");
  context.lineWidth = 2;
  const line = (...ends) => { context.beginPath(); context.moveTo(ends[0], ends[1]); context.lineTo(ends[2], ends[3]); context.stroke(); };
  context.textAlign = "center";
  for (const tick of ticks(x0, x1)) {
    line(x(tick), margin, x(tick), margin + side);
    context.fillText(tick, x(tick), margin + side + 40);
  }
  context.textAlign = "right";
  for (const tick of model.view.length > 2 ? ticks(y0, y1) : []) {
    line(margin, y(tick), margin + side, y(tick));
    context.fillText(tick, margin - 14, y(tick) + 9);
  }
  return { context, x, y, range: [x0, x1], box: [margin, margin, side, side] };
}

// Round numbers from low to high, four to eight of them: multiples of 1, 2 or 5 times a power of ten.
function ticks(low, high) {
  const power = 10 ** Math.floor(Math.log10((high - low) / 8));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((width) => (high - low) / width <= 8);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(6)));
}

function drawScatter({ context, x, y, box }, points, colours) {
  const radius = Math.max(2, Math.min(6, 200 / Math.sqrt(points.length)));
  context.save();
  context.beginPath();
  context.rect(...box);
  context.clip();
  context.globalAlpha = 0.6;
  points.forEach(([first, second], index) => {
    context.fillStyle = colours[index];
    context.beginPath();
    context.arc(x(first), y(second), radius, 0, 2 * Math.PI);
    context.fill();
  });
  context.restore();
}

function drawHistogram({ context, x, y, range: [low, high] }, points) {
  const counts = new Array(80).fill(0);
  const width = (high - low) / counts.length;
  for (const [value] of points) {
    const bin = Math.floor((value - low) / width);
    if (bin >= 0 && bin < counts.length) counts[bin] += 1;
  }
  const most = Math.max(...counts, 1);
  context.fillStyle = PALETTE[0];
  counts.forEach((count, bin) => {
    const left = x(low + bin * width);
    context.fillRect(left, y(count / most), x(low + (bin + 1) * width) - left - 1, y(0) - y(count / most));
  });
}

// ---- events -------------------------------------------------------------------------------------

control("model").addEventListener("input", showModel); // before the form hears of it
control("sampler").addEventListener("input", showOptions);
control("seed").addEventListener("input", () => { control("random").checked = false; });
form.addEventListener("input", refresh);
form.addEventListener("submit", (event) => { event.preventDefault(); generate(); });
byId("stop").addEventListener("click", () => state.running?.abort());
byId("copy").addEventListener("click", copyCommand);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => state.redraw?.());
drawSeed();
loadModels();
