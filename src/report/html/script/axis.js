"use strict";
// The stretch of time that all charts show. Charts are drawn once, for the whole run; what is along the time axis is moved, and nothing
// here knows what it is. Coordinates are the drawing's own.
const timeAxis = (() => {
  const LABEL_ROW = 18;
  const LETTER = 6.4;
  const STEPS = [.1, .2, .5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400];
  const numbers = (element, ...names) => names.map((name) => Number(element.getAttribute(name)));

  const moving = (svg) => [...svg.querySelectorAll(".moves rect, .moves line, .moves path, .moves text")].map((element) => {
    const name = element.tagName;
    if (name === "rect") {
      const [x, width] = numbers(element, "x", "width");
      return (to) => {
        element.setAttribute("x", to(x));
        element.setAttribute("width", Math.max(1, to(x + width) - to(x)));
      };
    }
    if (name === "line") {
      const [x1, x2] = numbers(element, "x1", "x2");
      return (to) => {
        element.setAttribute("x1", to(x1));
        element.setAttribute("x2", to(x2));
      };
    }
    if (name === "path") {
      return (to) => element.setAttribute("transform", `matrix(${to(1) - to(0)} 0 0 1 ${to(0)} 0)`);
    }
    const [begins, ends] = numbers(element, "data-begins", "data-ends");
    const texts = (element.dataset.labels ?? "").split("|");
    return (to, chart) => {
      const from = Math.max(chart.left, to(begins));
      const room = Math.min(chart.right, to(ends)) - from;
      element.setAttribute("x", from + 5);
      element.textContent = texts.find((text) => text.length * LETTER + 8 < room) ?? "";
    };
  });

  // Names of faults, each in the lowest row where it lies on no other.
  const label = (chart, to) => {
    const rows = new Array(Math.max(1, Math.floor((chart.top - 8) / LABEL_ROW))).fill(-Infinity);
    for (const { element, begins, ends } of chart.labels) {
      const width = element.textContent.length * LETTER;
      const x = Math.max(0, Math.min(Math.max(chart.left, to(begins)), chart.right - width));
      const row = to(ends) < chart.left || to(begins) > chart.right ? -1 : rows.findIndex((end) => end < x);
      // With its link, or somebody with a keyboard would come to nothing.
      element.parentElement.style.display = row < 0 ? "none" : "inline";
      if (row < 0) continue;
      rows[row] = x + width + 10;
      element.setAttribute("x", x);
      element.setAttribute("y", chart.top - 6 - row * LABEL_ROW);
    }
  };

  const figures = [...document.querySelectorAll("figure[data-chart]")];
  const charts = figures.flatMap((figure) => [...figure.querySelectorAll("svg.chart")].map((svg) => {
    const data = (name) => Number(svg.dataset[name]);
    const labels = [...svg.querySelectorAll(".fault-label")].map((element) => {
      const [begins, ends] = numbers(element, "data-begins", "data-ends");
      return { element, begins, ends };
    });
    return {
      figure, svg, labels, left: data("left"), right: data("right"), top: data("top"), bottom: data("bottom"),
      width: data("width"), from: data("from"), to: data("to"), moving: moving(svg), ticks: svg.querySelector(".ticks"),
      most: svg.classList.contains("wide") ? 12 : 5,
    };
  }));
  if (!charts.length) return null;
  const whole = { from: charts[0].from, to: charts[0].to };
  let view = { ...whole };
  const listeners = [];

  const tickText = (seconds, step) => {
    if (step < 60) return (step < 1 ? seconds.toFixed(1) : seconds) + " s";
    const two = (number) => String(number).padStart(2, "0");
    if (seconds < 7200) return seconds / 60 + " min";
    return seconds % 3600 ? `${Math.floor(seconds / 3600)}:${two(seconds % 3600 / 60)} h` : seconds / 3600 + " h";
  };
  const tick = (chart) => {
    const span = view.to - view.from;
    const step = STEPS.find((size) => span / size <= chart.most) ?? 86400;
    const parts = [];
    for (let index = Math.ceil(view.from / step - 1e-9); index * step <= view.to + 1e-9; index += 1) {
      const seconds = Math.round(index * step * 10) / 10;
      const at = x(chart, seconds).toFixed(1);
      parts.push(`<line class="grid" x1="${at}" x2="${at}" y1="${chart.top}" y2="${chart.bottom}"></line>` +
        `<text class="tick middle" x="${at}" y="${chart.bottom + 16}">${tickText(seconds, step)}</text>`);
    }
    chart.ticks.innerHTML = parts.join("");
  };
  const x = (chart, seconds) =>
    chart.left + (seconds - view.from) / (view.to - view.from) * (chart.right - chart.left);
  const draw = () => {
    for (const chart of charts) {
      const room = chart.right - chart.left;
      const stretch = (whole.to - whole.from) / (view.to - view.from);
      const shift = (whole.from - view.from) / (view.to - view.from) * room;
      const to = (place) => chart.left + (place - chart.left) * stretch + shift;
      for (const move of chart.moving) move(to, chart);
      label(chart, to);
      tick(chart);
      chart.figure.dataset.shown = `${view.from.toFixed(3)} ${view.to.toFixed(3)}`;
    }
  };

  return {
    figures, charts, whole, x,
    view: () => view,
    isWhole: () => view.from === whole.from && view.to === whole.to,
    // The moment under the pointer, or null beside the plot.
    momentAt: (chart, clientX) => {
      const box = chart.svg.getBoundingClientRect();
      const share = ((clientX - box.left) / box.width * chart.width - chart.left) / (chart.right - chart.left);
      return share < 0 || share > 1 ? null : view.from + share * (view.to - view.from);
    },
    // Shows a stretch, as far as the run reaches; never less than a second of it.
    show: (from, to) => {
      const longest = whole.to - whole.from;
      const span = Math.min(Math.max(to - from, Math.min(1, longest)), longest);
      const start = Math.min(Math.max((from + to - span) / 2, whole.from), whole.to - span);
      view = span === longest ? { ...whole } : { from: start, to: start + span };
      draw();
      for (const listener of listeners) listener();
    },
    onChange: (listener) => listeners.push(listener),
  };
})();
