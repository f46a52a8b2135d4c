
"use strict";
// Timelines for pointer and keyboard. The page is complete without this script: bars are links to table rows.
for (const figure of document.querySelectorAll(".timeline")) timeline(figure);

function timeline(figure) {
  const plot = figure.querySelector(".plot"), panel = figure.querySelector(".panel");
  const axis = figure.querySelector(".axis"), controls = figure.querySelector(".controls");
  const views = JSON.parse(figure.dataset.views);
  const lanes = [...plot.querySelectorAll(".track")].map(track => [...track.children].map(bar => ({
    bar, begin: +bar.style.getPropertyValue("--b"), end: +bar.style.getPropertyValue("--e"),
    row: document.getElementById(bar.hash.slice(1)),
  })).sort((one, other) => one.begin - other.begin));
  const all = lanes.flat();
  if (!all.length) return;
  const whole = views[views.length - 1];
  let from = views[0][1], span = views[0][2];

  // -- what is in view
  function look(begin, length) {
    span = Math.min(Math.max(length, 0.01), whole[2]);
    from = Math.min(Math.max(begin, whole[1]), whole[1] + whole[2] - span);
    figure.style.setProperty("--from", from);
    figure.style.setProperty("--span", span);
    axis.replaceChildren(...ticks().map(at => {
      const mark = document.createElement("i");
      mark.style.setProperty("--b", at);
      mark.textContent = +at.toPrecision(6);
      return mark;
    }));
    for (const button of controls.querySelectorAll("[data-view]")) {
      const [, at, long] = views[button.dataset.view];
      button.setAttribute("aria-pressed", Math.abs(from - at) + Math.abs(span - long) < 0.01);
    }
  }
  function ticks() {
    const rough = span / Math.max(2, Math.min(8, plot.clientWidth / 110));
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find(factor => factor * power >= rough);
    const marks = [];
    for (let at = Math.ceil(from / step); at * step <= from + span; at++) marks.push(at * step);
    return marks;
  }
  function zoom(factor) {
    const on = all.find(item => item.bar === chosen.bar);
    const seen = on.end > from && on.begin < from + span;
    const middle = seen ? (Math.max(on.begin, from) + Math.min(on.end, from + span)) / 2 : from + span / 2;
    look(middle - span * factor / 2, span * factor);
  }
  function button(text, label, act, view) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    if (label) made.setAttribute("aria-label", label);
    if (view !== undefined) made.dataset.view = view;
    made.addEventListener("click", act);
    controls.append(made);
  }
  if (views.length > 1) views.forEach(([name, at, long], index) => button(name, "", () => look(at, long), index));
  button("+", "Zoom in", () => zoom(0.5));
  button("−", "Zoom out", () => zoom(2));
  button("←", "Earlier", () => look(from - span / 3, span));
  button("→", "Later", () => look(from + span / 3, span));
  if (all.some(item => item.bar.className.includes("m-")))
    button("Next marked", "", () => { next(); chosen.bar.focus(); });
  controls.hidden = false;

  // -- which bar the panel describes: the focused one, or the one under the pointer
  const is = (item, ...names) => names.every(name => item.bar.classList.contains(name));
  let chosen = all.find(item => is(item, "m-bad", "k-request")) || all.find(item => item.bar.className.includes("m-")) ||
    all.find(item => is(item, "k-request")) || all[0];
  for (const item of all) item.bar.tabIndex = -1;
  function choose(item) {
    chosen.bar.tabIndex = -1;
    chosen.bar.classList.remove("on");
    chosen = item;
    chosen.bar.tabIndex = 0;
    chosen.bar.classList.add("on");
    describe(item);
  }
  function describe({row}) {
    const [what, name, thread, begin, took, notes] = row.cells;
    const took_text = took.textContent === "open" ? "never ended" : `took ${took.textContent} ms`;
    const title = line(`${what.textContent} ${name.textContent === "-" ? "" : name.textContent}`);
    title.className = "what";
    const when = line(`thread ${thread.textContent}, at ${begin.textContent} ms, ${took_text}`);
    panel.replaceChildren(title, when, ...[...notes.children].map(note => note.cloneNode(true)));
  }
  function line(text) {
    const made = document.createElement("p");
    made.textContent = text;
    return made;
  }
  function reveal({begin, end}) {
    if (end < from || begin > from + span) look((begin + end - span) / 2, span);
  }
  function go(item) {
    if (!item) return;
    reveal(item);
    choose(item);
    item.bar.focus();
  }
  function next() {
    const marked = all.filter(item => item.bar.className.includes("m-"));
    const item = marked[(marked.indexOf(chosen) + 1) % marked.length];
    reveal(item);
    choose(item);
  }
  function beside(step) {
    const lane = lanes.findIndex(lane => lane.includes(chosen));
    let to = lane + step;
    while (lanes[to] && !lanes[to].length) to += step;
    if (!lanes[to]) return null;
    const middle = item => (item.begin + item.end) / 2;
    return lanes[to].reduce((best, item) =>
      Math.abs(middle(item) - middle(chosen)) < Math.abs(middle(best) - middle(chosen)) ? item : best);
  }
  const keys = {
    ArrowRight: () => go(lanes.find(lane => lane.includes(chosen))[order() + 1]),
    ArrowLeft: () => go(lanes.find(lane => lane.includes(chosen))[order() - 1]),
    ArrowDown: () => go(beside(1)),
    ArrowUp: () => go(beside(-1)),
    Home: () => go(lanes.find(lane => lane.includes(chosen))[0]),
    End: () => go(lanes.find(lane => lane.includes(chosen)).at(-1)),
    "+": () => zoom(0.5),
    "-": () => zoom(2),
  };
  function order() {
    return lanes.find(lane => lane.includes(chosen)).indexOf(chosen);
  }
  plot.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  for (const item of all) {
    item.bar.addEventListener("focus", () => choose(item));
    item.bar.addEventListener("pointerenter", event => { if (event.pointerType === "mouse") describe(item); });
    item.bar.addEventListener("pointerleave", () => describe(chosen));
    item.bar.addEventListener("click", event => {
      if (event.detail) {  // a pointer; Enter goes on to the row
        event.preventDefault();
        choose(item);
      } else figure.querySelector(".rows").open = true;
    });
  }
  choose(chosen);
  look(from, span);
  figure.closest("details")?.addEventListener("toggle", () => look(from, span));
}
