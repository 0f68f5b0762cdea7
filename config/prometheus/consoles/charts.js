"use strict";
// Prometheus serves this file as an HTML template: two braces would be code, and it escapes less-than signs. So it uses neither.
const SVG = "http://www.w3.org/2000/svg", HEIGHT = 150, LEFT = 46, BOTTOM = 18;
const COLOURS = ["#3b82c4", "#e08a2c", "#8b5cc7", "#2a9d8f", "#c4587a", "#7a8a3a", "#946c4a", "#5c6f8c"];
const BY_STATUS = { 2: ["#2f9e63", "#7cc79c"], 3: ["#3b82c4"], 4: ["#e0a526", "#c27c1a", "#f0c768", "#a8741f"], 5: ["#d13b3b", "#8f1f2f"] };
const PREFIXES = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"]];

function human(value, unit) {
  if (!value) return "0";
  // Requests and workers are whole numbers: only seconds get a prefix below one.
  const fits = PREFIXES.filter(p => unit === "s" ? 1 >= p[0] : p[0] >= 1);
  const [scale, prefix] = fits.find(p => Math.abs(value) >= p[0]) || fits[fits.length - 1];
  return Number((value / scale).toPrecision(3)) + (prefix + unit && unit !== "x" && unit !== "/s" ? " " : "") + prefix + unit;
}

function steps(top) {
  const raw = top / 3, power = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = [1, 2, 2.5, 5, 10].map(m => m * power).find(s => s >= raw);
  return [0, 1, 2, 3].map(i => i * step);
}

function element(parent, tag, attributes, text) {
  const node = parent.appendChild(document.createElementNS(SVG, tag));
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

async function api(path) {
  const answer = await fetch(document.body.dataset.prefix + "/api/v1/" + path);
  const body = await answer.json();
  if (body.status !== "success") throw new Error(body.error);
  return body.data;
}

async function read(data, start, end, step) {
  const { result } = await api("query_range?" + new URLSearchParams({ query: data.dataset.expr, start, end, step }));
  return result.map(series => ({
    name: [data.dataset.name, series.metric[data.dataset.label]].filter(Boolean).join(" "),
    points: series.values.map(([time, value]) => [time, Number(value)]).filter(p => Number.isFinite(p[1])),
  })).filter(series => series.points.length);
}

// Only the API has the text of an alert; not every build of Prometheus has an alerts page to link to.
async function listAlerts() {
  const { alerts } = await api("alerts");
  const mine = alerts.filter(alert => alert.state === "firing" && alert.labels.job === document.body.dataset.job);
  document.getElementById("alerts").replaceChildren(...mine.map(alert => {
    const item = document.createElement("li"), name = document.createElement("b"), text = document.createElement("small");
    name.textContent = alert.labels.alertname + ": " + alert.annotations.summary + ". ";
    text.textContent = alert.annotations.description;
    item.append(name, text);
    return item;
  }));
}

function paint(figure, all, start, end, step) {
  const unit = figure.dataset.unit, limits = (figure.dataset.limits || "").split(" ").filter(Boolean).map(Number);
  const used = {};
  all.forEach((s, i) => {
    const shades = figure.dataset.colours ? BY_STATUS[s.name[0]] : null;
    used[s.name[0]] = (used[s.name[0]] || 0) + 1;
    s.colour = shades ? shades[(used[s.name[0]] - 1) % shades.length] : COLOURS[i % COLOURS.length];
  });
  // A reason or a status that never occurred would only fill the legend.
  const series = all.filter(s => s.points.some(p => p[1] > 0));
  figure.querySelectorAll("svg, ul").forEach(old => old.remove());
  const svg = element(figure, "svg", {}), width = svg.clientWidth, bottom = HEIGHT - BOTTOM;
  const highest = Math.max(...series.flatMap(s => s.points.map(p => p[1])), ...limits, 0) || 1;
  const ticks = steps(highest), top = ticks[3];
  const x = time => LEFT + (time - start) / (end - start) * (width - LEFT), y = value => bottom - value / top * (bottom - 6);
  for (const tick of ticks) {
    element(svg, "line", { x1: LEFT, x2: width, y1: y(tick), y2: y(tick), class: "grid" });
    element(svg, "text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, human(tick, unit));
  }
  for (let i = 0; i !== 4; i++) {
    const time = start + (end - start) * (i + 0.5) / 4, day = end - start > 86400;
    element(svg, "text", { x: x(time), y: HEIGHT - 2, "text-anchor": "middle" }, new Date(time * 1000).toLocaleString([],
      day ? { month: "short", day: "numeric", hour: "2-digit" } : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }));
  }
  for (const limit of limits) element(svg, "line", { x1: LEFT, x2: width, y1: y(limit), y2: y(limit), class: "limit" });
  for (const s of series) {
    let last = -Infinity, path = "";
    for (const [time, value] of s.points) {
      path += (time - last > step * 1.5 ? "M" : "L") + x(time).toFixed(1) + " " + y(value).toFixed(1);
      last = time;
    }
    element(svg, "path", { d: path, stroke: s.colour, "stroke-linecap": "round" });
  }
  const list = figure.appendChild(document.createElement("ul"));
  const legend = time => list.replaceChildren(...series.map(s => {
    const item = document.createElement("li"), figures = document.createElement("b");
    const point = s.points.reduce((a, b) => Math.abs(a[0] - time) > Math.abs(b[0] - time) ? b : a);
    item.style.setProperty("--c", s.colour);
    figures.textContent = Math.abs(point[0] - time) > step * 1.5 ? "-" : human(point[1], unit);
    item.append(s.name, figures);
    return item;
  }), ...(series.length ? [] : [all.length ? "none" : "no data"]));
  legend(end);
  const cursor = element(svg, "line", { y1: 6, y2: bottom, class: "grid", visibility: "hidden" });
  svg.onmousemove = event => {
    const at = Math.max(LEFT, event.offsetX);
    for (const [name, value] of [["x1", at], ["x2", at], ["visibility", "visible"]]) cursor.setAttribute(name, value);
    legend(start + (at - LEFT) / (width - LEFT) * (end - start));
  };
  svg.onmouseleave = () => { cursor.setAttribute("visibility", "hidden"); legend(end); };
}

async function draw() {
  const range = Number(location.hash.slice(1)) || 3600, step = Math.max(15, Math.ceil(range / 240));
  // Align to the step. Otherwise each refresh samples other moments, and the lines move.
  const end = Math.floor(Date.now() / 1000 / step) * step, start = end - range;
  document.querySelectorAll("nav a").forEach(a => a.toggleAttribute("aria-current", a.hash === "#" + range));
  await Promise.all([listAlerts(), ...[...document.querySelectorAll("figure")].map(async figure => {
    const series = await Promise.all([...figure.querySelectorAll("data")].map(data => read(data, start, end, step)));
    paint(figure, series.flat(), start, end, step);
  })]).then(() => { document.body.dataset.drawn = "yes"; }, error => { document.querySelector("header p").textContent = error.message; });
}
window.onhashchange = draw;
window.onresize = draw;
// Reload the whole page, not only the charts, so that the figures on top have the same age.
setTimeout(() => location.reload(), 30000);
draw();
