// The console: reads what the host tells of itself every two seconds. Whatever it shows, it shows as text.
"use strict";

const POLL_MS = 2000;
const ANSWER_MS = 10000;
/** Readings that a curve shows, at most, and for which it has room at least. */
const HISTORY_MAX = 120;
const HISTORY_MIN = 30;
const GENERATIONS_MAX = 20;

const at = (id) => document.getElementById(id);
/** Kept here and nowhere else. */
let token = "";
let before = null;
/** Records a second that came to each pipeline, oldest first. */
const history = new Map();

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function short(value) {
  if (!Number.isFinite(value)) return "–";
  const units = ["", "k", "M", "G", "T"];
  let unit = 0;
  while (Math.abs(value) >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return (unit === 0 && Number.isInteger(value) ? String(value) : value.toPrecision(3)) + units[unit];
}

const rate = (value) => (value === null ? "–" : value < 1000 ? value.toFixed(value > 0 && value < 10 ? 1 : 0) : short(value));

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

function time(seconds) {
  if (seconds < 1) return seconds > 0 ? `${Math.ceil(seconds * 1000)} ms` : "0 s";
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([size]) => seconds >= size);
  const [size, unit] = parts[first];
  const text = `${Math.floor(seconds / size)} ${unit}`;
  const next = parts[first + 1];
  return next && seconds < 10 * size ? `${text} ${Math.floor((seconds % size) / next[0])} ${next[1]}` : text;
}

/** `2026-05-01T12:00:00.123Z` without the day where that is today's. */
function moment(text) {
  const today = new Date().toISOString().slice(0, 10);
  return text.startsWith(today) ? text.slice(11, 19) : text.slice(0, 19).replace("T", " ");
}

function cost(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 1e-6) return `${(seconds * 1e9).toFixed(0)} ns`;
  return seconds < 1e-3 ? `${(seconds * 1e6).toFixed(1)} µs` : `${(seconds * 1e3).toFixed(1)} ms`;
}

/** How much a counter grows in a second, or null where that is not known. */
function growth(now, old, key) {
  const elapsed = before ? now.status.seconds - before.status.seconds : 0;
  if (elapsed <= 0 || !old || now.part[key] < old[key]) return null;
  return (now.part[key] - old[key]) / elapsed;
}

function rater(status, kind, name, part) {
  const named = (parts, wanted) => parts.find((other) => other.name === wanted);
  let old = before ? named(before.status[kind], name) : null;
  if (old && part.step !== undefined) old = named(old.steps, part.step.name);
  const now = { status, part: part.step ?? part };
  return (key) => growth(now, old, key);
}

const sum = (values) => (values.some((value) => value === null) ? null : values.reduce((all, value) => all + value, 0));

/** A table of columns `[title, kind]` and rows of texts or nodes. */
function table(columns, rows, nothing) {
  if (rows.length === 0) return make("p", { class: "empty" }, nothing);
  const head = columns.map(([title, kind]) => make("th", { scope: "col", class: kind }, title));
  const body = rows.map((row) => make("tr", {}, ...row.map((cell, i) => make("td", { class: columns[i][1] }, cell))));
  return make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
}

function alarming(count) {
  return make("span", { class: count > 0 ? "bad" : "quiet" }, short(count));
}

function spark(values) {
  const svg = (tag, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const top = Math.max(...values, 1e-9);
  const width = Math.max(values.length, HISTORY_MIN) - 1;
  const points = values.map((value, i) => `${width - values.length + 1 + i},${(31 - (value / top) * 29).toFixed(2)}`);
  const picture = svg("svg", { viewBox: `0 0 ${width} 32`, preserveAspectRatio: "none", role: "img" });
  picture.setAttribute("aria-label", `records a second, at most ${rate(top)}`);
  if (points.length > 1) {
    const [first, last] = [points[0], points[points.length - 1]].map((point) => point.split(",")[0]);
    picture.append(svg("polygon", { class: "spark-area", points: `${first},32 ${points.join(" ")} ${last},32` }));
    picture.append(svg("polyline", { class: "spark-line", points: points.join(" ") }));
  }
  return picture;
}

function step(status, pipeline, part) {
  const per = rater(status, "pipelines", pipeline.name, { step: part });
  const [taken, busy] = [per("in"), per("seconds")];
  const share = Math.min(busy ?? 0, 1);
  const meter = make("meter", { min: 0, max: 1, value: share, "aria-label": "busy" });
  const name = make("span", {}, part.name);
  if (part.plugin) name.append(make("small", { class: "mono" }, `${part.plugin} ${(part.digest ?? "").slice(7, 19)}`));
  if (part.breaker_open) name.append(make("small", { class: "bad" }, "stopped by its breaker"));
  const calls = Object.values(part.failed_calls).reduce((all, count) => all + count, 0);
  return [
    name, rate(taken), rate(per("out")), short(part.dropped), alarming(part.rejected), alarming(calls),
    cost(taken > 0 ? busy / taken : NaN),
    make("span", {}, busy === null ? "–" : `${(busy * 100).toFixed(busy < 0.1 ? 1 : 0)} %`, meter),
    part.memory_bytes > 0 ? bytes(part.memory_bytes) : "–",
  ];
}

const STEPS = [["step", "name"], ["in/s", "number"], ["out/s", "number"], ["dropped", "number"], ["rejected", "number"],
  ["failed calls", "number"], ["a record", "number"], ["busy", "number"], ["memory", "number"]];

function pipeline(status, part) {
  const per = rater(status, "pipelines", part.name, part);
  const values = history.get(part.name) ?? [];
  const now = per("in");
  if (now !== null) values.push(now);
  history.set(part.name, values.slice(-HISTORY_MAX));
  const fact = (label, value) => make("p", {}, make("b", {}, value), ` ${label}`);
  const head = make("div", { class: "head" }, make("h3", {}, part.name),
    fact("in/s", rate(now)), fact("out/s", rate(per("out"))), fact("dropped", short(part.dropped)),
    fact("under way", short(part.held)));
  const letters = Object.entries(part.dead_letters).filter(([, count]) => count > 0);
  if (letters.length > 0) {
    const told = letters.map(([cause, count]) => `${cause} ${short(count)}`).join(", ");
    head.append(make("p", { class: "bad" }, `dead letters: ${told}`));
  }
  if (part.difference !== 0) head.append(make("p", { class: "bad" }, `${part.difference} records unaccounted for`));
  head.append(spark(values));
  const steps = part.steps.map((one) => step(status, part, one));
  return make("article", { class: "card" }, head, table(STEPS, steps, "no steps: records pass as they are"));
}

function totals(status) {
  const all = (key) => sum(status.pipelines.map((part) => rater(status, "pipelines", part.name, part)(key)));
  const held = status.pipelines.reduce((count, part) => count + part.held, 0);
  const lag = Math.max(0, ...status.sources.map((source) => source.lag_seconds));
  const tiles = [["records in/s", rate(all("in"))], ["records out/s", rate(all("out"))], ["dropped/s", rate(all("dropped"))],
    ["dead letters/s", rate(all("rejected"))], ["under way", short(held)], ["oldest not delivered", time(lag)]];
  return tiles.map(([label, value]) => make("li", {}, make("span", {}, label), make("b", {}, value)));
}

function sources(status) {
  const rows = status.sources.map((part) => {
    const per = rater(status, "sources", part.name, part);
    const read = per("bytes");
    return [part.name, rate(per("records")), read === null ? "–" : `${bytes(Math.round(read))}/s`, short(part.records), short(part.held), time(part.lag_seconds)];
  });
  const columns = [["source", "name"], ["records/s", "number"], ["bytes/s", "number"], ["records", "number"], ["under way", "number"], ["lag", "number"]];
  return table(columns, rows, "no sources");
}

function sinks(status) {
  const rows = status.sinks.map((part) => {
    const failing = part.state !== "ok";
    const since = failing && part.failing_since ? ` since ${moment(part.failing_since)}` : "";
    const waiting = part.spool ? `${short(part.queue_records)} + ${bytes(part.spool.waiting_bytes)} spooled` : short(part.queue_records);
    return [part.name, make("span", { class: failing ? "bad" : "good" }, part.state + since),
      rate(rater(status, "sinks", part.name, part)("delivered")), short(part.delivered), waiting, short(part.retries), alarming(part.rejected)];
  });
  const columns = [["sink", "name"], ["state", ""], ["records/s", "number"], ["delivered", "number"], ["waiting", "number"], ["retries", "number"], ["rejected", "number"]];
  return table(columns, rows, "no sinks");
}

const GOOD = ["applied", "unchanged"];
const BAD = ["refused", "failed"];

function generations(told) {
  const rows = told.history.slice().reverse().map((entry) => {
    const kind = GOOD.includes(entry.result) ? "good" : BAD.includes(entry.result) ? "bad" : "warn";
    const what = GOOD.includes(entry.result) && entry.changes.length > 0 ? entry.changes.join("; ") : entry.message;
    const text = make("span", {}, what);
    if (entry.why) text.append(make("small", { class: "quiet" }, ` — ${entry.why}`));
    return [String(entry.generation), moment(entry.time), entry.who, entry.asked, make("span", { class: kind }, entry.result), text];
  });
  const columns = [["generation", "name"], ["when (UTC)", ""], ["who", ""], ["asked", ""], ["result", ""], ["what changed, or why not", "text"]];
  return table(columns, rows, "this host keeps no history");
}

function facts(status) {
  const all = [["generation", String(status.generation)], ["up", time(status.seconds)]];
  return all.map(([label, value]) => make("div", {}, make("dt", {}, label), make("dd", {}, value)));
}

function show(status, told) {
  at("version").textContent = status.version;
  at("facts").replaceChildren(...facts(status));
  at("totals").replaceChildren(...totals(status));
  const names = status.pipelines.map((part) => part.name);
  for (const name of history.keys()) if (!names.includes(name)) history.delete(name);
  at("pipelines").replaceChildren(...status.pipelines.map((part) => pipeline(status, part)));
  at("sources").replaceChildren(sources(status));
  at("sinks").replaceChildren(sinks(status));
  at("generations").replaceChildren(generations(told));
  const failing = status.sinks.some((sink) => sink.state !== "ok");
  state(status.degraded ? ["degraded", "bad"] : failing ? ["a sink fails", "warn"] : ["running", "good"]);
  notice(status.degraded);
  at("main").hidden = false;
  at("access").hidden = true;
  before = { status };
}

function state([word, kind]) {
  at("state").textContent = word;
  at("state").className = `pill ${kind}`;
}

function notice(text) {
  at("notice").hidden = !text;
  at("notice").textContent = text ?? "";
}

async function get(path) {
  const headers = token === "" ? {} : { Authorization: `Bearer ${token}` };
  const answer = await fetch(path, { headers, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(ANSWER_MS) });
  if (answer.status === 401) throw new DOMException("a token is needed", "NotAllowedError");
  if (!answer.ok) throw new Error(`the host says no (${answer.status})`);
  return answer.json();
}

function askForToken() {
  notice(token === "" ? "" : "The host does not know this token.");
  token = "";
  before = null;
  history.clear();
  at("main").hidden = true;
  state(["a token is needed", "warn"]);
  if (at("access").hidden) {
    at("access").hidden = false;
    at("token").focus();
  }
}

async function turn() {
  if (document.hidden) return;
  try {
    const [status, told] = await Promise.all([get("v1/status"), get(`v1/generations?limit=${GENERATIONS_MAX}`)]);
    show(status, told);
  } catch (error) {
    if (error.name === "NotAllowedError") {
      askForToken();
    } else {
      state(["no answer", "bad"]);
      notice(error instanceof TypeError || error.name === "TimeoutError" ? "The host does not answer. What is shown is what it told last." : error.message);
    }
  }
}

async function run() {
  for (;;) {
    // Who is typing a token is not asked again and again.
    if (at("access").hidden) await turn();
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

at("access").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = at("token").value.trim();
  at("token").value = "";
  if (!/^[!-~]+$/.test(given)) {
    notice("That is no token: visible ASCII characters were expected.");
    return;
  }
  token = given;
  turn();
});
run();
