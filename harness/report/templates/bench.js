
"use strict";
// Charts by uPlot. They follow light and dark and the width of the screen; arrow keys move the cursor.
const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
// Okabe and Ito's palette; in the dark its lighter half first.
const PALETTES = {
  light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a87400", "#3d8fbf"],
  dark: ["#56b4e9", "#e69f00", "#33c29b", "#cc79a7", "#f0e442", "#ff8c42"],
};
const colour = number => () => PALETTES[dark.matches ? "dark" : "light"][number % 6];
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [14, 4], [5, 5]];
const charts = [];
const dark = matchMedia("(prefers-color-scheme: dark)");

const axis = more => ({
  stroke: () => style("--ink"), grid: {stroke: () => style("--grid"), width: 1}, ticks: {stroke: () => style("--grid")}, ...more,
});
const milliseconds = value => value >= 1000 ? `${+(value / 1000).toPrecision(3)} s` : `${+value.toPrecision(3)} ms`;
const latencyAxis = axis({size: 64, values: (_, ticks) => ticks.map(tick => tick === null ? null : milliseconds(tick))});

function draw(place, options, data) {
  const size = () => ({width: place.clientWidth, height: 260});
  const chart = new uPlot({...size(), cursor: {y: false}, ...options}, data, place);
  charts.push(() => chart.setSize(size()));
  dark.addEventListener("change", () => chart.redraw());
  place.addEventListener("keydown", event => {
    const step = {ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10}[event.key];
    if (!step) return;
    event.preventDefault();
    const at = Math.min(Math.max((chart.cursor.idx ?? -1) + step, 0), data[0].length - 1);
    chart.setCursor({left: chart.valToPos(data[0][at], "x"), top: 10});
  });
}

const latencies = [...document.querySelectorAll(".latency")].map(place => [place, JSON.parse(place.firstElementChild.textContent)]);
// One scale for all cells: they are there to be compared.
let low = 1, high = 1000;
for (const [, data] of latencies) for (const latency of [...data.ok, ...data.bad]) if (latency !== null) {
  low = Math.max(0.1, Math.min(low, latency));
  high = Math.max(high, latency);
}
for (const [place, data] of latencies) {
  const bad = data.bad.map((latency, at) => data.lost[at] ? high : latency);
  const cross = (chart, number) => {
    const context = chart.ctx, arm = 4 * devicePixelRatio;
    context.save();
    context.strokeStyle = style("--bad");
    context.lineWidth = 2 * devicePixelRatio;
    context.beginPath();
    bad.forEach((value, at) => {
      if (value === null) return;
      const x = chart.valToPos(data.at[at], "x", true), y = chart.valToPos(value, "y", true);
      context.moveTo(x - arm, y - arm);
      context.lineTo(x + arm, y + arm);
      context.moveTo(x - arm, y + arm);
      context.lineTo(x + arm, y - arm);
    });
    context.stroke();
    context.restore();
  };
  const restarts = chart => {
    const context = chart.ctx, {top, height} = chart.bbox;
    context.save();
    context.strokeStyle = context.fillStyle = style("--ink");
    context.lineWidth = devicePixelRatio;
    context.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    context.textAlign = "left";
    context.font = `${12 * devicePixelRatio}px system-ui`;
    let written = -Infinity;
    for (const at of data.restarts) {
      const x = chart.valToPos(at, "x", true);
      context.beginPath();
      context.moveTo(x, top);
      context.lineTo(x, top + height);
      context.stroke();
      if (x - written > 60 * devicePixelRatio) context.fillText("restart", x + 4 * devicePixelRatio, top + 13 * devicePixelRatio);
      if (x - written > 60 * devicePixelRatio) written = x;
    }
    context.restore();
  };
  draw(place, {
    scales: {x: {time: false}, y: {distr: 3, range: [low / 1.3, high * 1.6]}},
    axes: [axis({values: (_, ticks) => ticks.map(tick => `${tick} s`)}), latencyAxis],
    series: [
      {label: "from the restart", value: (_, at) => at === null ? "-" : `${at.toFixed(2)} s`},
      {label: "answer", stroke: colour(0), paths: () => null, points: {show: true, size: 4, stroke: colour(0), fill: colour(0)},
        value: (_, ms) => ms === null ? "-" : milliseconds(ms)},
      {label: "✗ no good answer", stroke: () => style("--bad"), paths: () => null, points: {show: false},
        value: (_, ms, __, at) => ms === null || at === null ? "-" : data.lost[at] ? data.outcome[at] : `${data.outcome[at]}, ${milliseconds(ms)}`},
    ],
    hooks: {draw: [restarts, cross]},
  }, [data.at, data.ok, bad]);
}

for (const place of document.querySelectorAll(".curves")) {
  const data = JSON.parse(place.firstElementChild.textContent);
  const known = data.lines.flatMap(line => line.ms).filter(latency => latency !== null);
  if (!known.length) continue;
  const percent = nines => `p${+(100 * (1 - 10 ** -nines)).toFixed(Math.max(0, Math.ceil(nines) - 1))}`;
  draw(place, {
    scales: {x: {time: false}, y: {distr: 3, range: [Math.max(0.1, Math.min(...known)) / 1.3, Math.max(...known) * 1.4]}},
    axes: [axis({splits: () => [0, 1, 2, 3, 4, 5], values: (_, ticks) => ticks.map(tick => tick ? percent(tick) : "fastest")}), latencyAxis],
    series: [
      {label: "percentile", value: (_, nines) => nines === null ? "-" : percent(nines)},
      ...data.lines.map((line, number) => ({
        label: line.name, stroke: colour(number), width: 2, points: {show: false},
        dash: DASHES[(number + Math.floor(number / 6)) % DASHES.length],
        value: (_, ms) => ms === null ? "-" : milliseconds(ms),
      })),
    ],
  }, [data.nines, ...data.lines.map(line => line.ms)]);
}
addEventListener("resize", () => charts.forEach(fit => fit()));
