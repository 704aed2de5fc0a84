// Zooming: buttons, a stretch dragged over any chart, and links to a moment.
(() => {
  if (!timeAxis) return;
  const bar = document.querySelector(".time-bar");
  const shown = bar.querySelector(".shown");
  const buttons = [...bar.querySelectorAll("[data-zoom]")];
  const seconds = (value) => value.toFixed(1) + " s";
  const { charts, whole } = timeAxis;

  const act = {
    in: ({ from, to }) => [from + (to - from) / 4, to - (to - from) / 4],
    out: ({ from, to }) => [from - (to - from) / 2, to + (to - from) / 2],
    earlier: ({ from, to }) => [from - (to - from) / 2, to - (to - from) / 2],
    later: ({ from, to }) => [from + (to - from) / 2, to + (to - from) / 2],
    all: () => [whole.from, whole.to],
  };
  const tell = () => {
    const { from, to } = timeAxis.view();
    const all = timeAxis.isWhole();
    shown.textContent = all ? `Whole run: ${seconds(from)} to ${seconds(to)}` : `${seconds(from)} to ${seconds(to)}`;
    // Not disabled: whoever just pressed one would lose their place.
    for (const button of buttons) button.setAttribute("aria-disabled", all && button.dataset.zoom !== "in");
  };
  for (const button of buttons) {
    button.addEventListener("click", () => timeAxis.show(...act[button.dataset.zoom](timeAxis.view())));
  }
  timeAxis.onChange(tell);
  bar.hidden = false;
  document.documentElement.classList.add("scripted");
  tell();

  for (const chart of charts) {
    const { svg } = chart;
    let start = null;
    let mark = null;
    const stop = () => {
      mark?.remove();
      start = mark = null;
    };
    // A finger scrolls the page.
    svg.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && event.pointerType !== "touch" && timeAxis.momentAt(chart, event.clientX) !== null) {
        start = event.clientX;
      }
    });
    svg.addEventListener("pointermove", (event) => {
      if (start === null || (!mark && Math.abs(event.clientX - start) < 6)) return;
      if (!mark) {
        svg.setPointerCapture(event.pointerId);
        mark = document.createElementNS(svg.namespaceURI, "rect");
        mark.setAttribute("class", "selection");
        mark.setAttribute("y", chart.top);
        mark.setAttribute("height", chart.bottom - chart.top);
        svg.append(mark);
      }
      const box = svg.getBoundingClientRect();
      const place = (client) => Math.min(Math.max((client - box.left) / box.width * chart.width, chart.left), chart.right);
      const [one, other] = [place(start), place(event.clientX)];
      mark.setAttribute("x", Math.min(one, other));
      mark.setAttribute("width", Math.abs(one - other));
    });
    svg.addEventListener("pointerup", () => {
      if (mark) {
        const { from, to } = timeAxis.view();
        const moment = (place) => from + (place - chart.left) / (chart.right - chart.left) * (to - from);
        const left = Number(mark.getAttribute("x"));
        timeAxis.show(moment(left), moment(left + Number(mark.getAttribute("width"))));
      }
      stop();
    });
    svg.addEventListener("pointercancel", stop);
    svg.addEventListener("dragstart", (event) => event.preventDefault());
    svg.addEventListener("dblclick", () => timeAxis.show(whole.from, whole.to));
  }

  // A link to a moment shows some of what was before and after it, unless that is shown already.
  const around = (from, to) => {
    const margin = Math.max(5, (to - from) / 4);
    timeAxis.show(from - margin, to + margin);
  };
  for (const link of document.querySelectorAll("a[data-second]")) {
    const second = Number(link.dataset.second);
    link.addEventListener("click", () => {
      around(second, second + 1);
      timeAxis.point?.(second + .5);
    });
  }
  for (const link of document.querySelectorAll("a[data-from]")) {
    const from = Number(link.dataset.from) / 1000;
    const to = link.dataset.to ? Number(link.dataset.to) / 1000 : whole.to;
    link.addEventListener("click", () => around(from, to));
  }
})();
