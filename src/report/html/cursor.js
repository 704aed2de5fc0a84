(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("points").textContent);
  const figures = [...document.querySelectorAll("figure[data-chart]")];
  if (!data.second.length || !figures.length) return;
  document.documentElement.classList.add("scripted");
  const charts = figures.flatMap((figure) => [...figure.querySelectorAll("svg.chart")]);
  const num = (svg, name) => Number(svg.dataset[name]);
  const count = (value) => Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
  const ms = (value) => value === null ? "–" : value >= 1000 ? (value / 1000).toFixed(1) + " s" : value.toFixed(1) + " ms";
  const say = {
    lanes: () => "",
    throughput: (i) => ` · sent ${count(data.sent[i])}/s · acknowledged ${count(data.acked[i])}/s · read ${count(data.read[i])}/s` +
      ` · failed or indeterminate ${count(data.not_acked[i])}/s`,
    latency: (i) => ` · p50 ${ms(data.p50[i])} · p99 ${ms(data.p99[i])} · longest ${ms(data.max[i])}`,
  };
  const cursors = charts.map((svg) => {
    const line = document.createElementNS(svg.namespaceURI, "line");
    line.setAttribute("class", "cursor");
    line.setAttribute("y1", svg.dataset.top);
    line.setAttribute("y2", svg.dataset.bottom);
    line.style.display = "none";
    svg.append(line);
    return line;
  });
  let shown = -1;
  const show = (index, moment) => {
    shown = index;
    charts.forEach((svg, place) => {
      const share = (moment - num(svg, "from")) / (num(svg, "to") - num(svg, "from"));
      const x = num(svg, "left") + share * (num(svg, "right") - num(svg, "left"));
      cursors[place].setAttribute("x1", x);
      cursors[place].setAttribute("x2", x);
      cursors[place].style.display = "";
    });
    const second = data.second[index];
    const when = data.each > 1 ? `seconds ${count(second)} to ${count(second + data.each)}` : `second ${count(second)}`;
    for (const figure of figures) figure.querySelector(".readout").textContent = when + say[figure.dataset.chart](index);
  };
  const hint = "Point at a chart for its values, or focus it and use the arrow keys.";
  const hide = () => {
    shown = -1;
    for (const line of cursors) line.style.display = "none";
    figures.forEach((figure, place) => { figure.querySelector(".readout").textContent = place ? "" : hint; });
  };
  const at = (moment) => {
    const index = Math.floor((moment - data.second[0]) / data.each);
    show(Math.max(0, Math.min(data.second.length - 1, index)), moment);
  };
  hide();
  for (const svg of charts) {
    svg.setAttribute("tabindex", "0");
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * num(svg, "width");
      const share = (x - num(svg, "left")) / (num(svg, "right") - num(svg, "left"));
      if (share < 0 || share > 1) return hide();
      at(num(svg, "from") + share * (num(svg, "to") - num(svg, "from")));
    });
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = Math.max(0, Math.min(data.second.length - 1, shown + step));
      const middle = data.second[next] + data.each / 2;
      show(next, Math.max(num(svg, "from"), Math.min(num(svg, "to"), middle)));
    });
  }
})();
