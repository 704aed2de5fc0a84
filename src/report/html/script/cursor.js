// One cursor over all charts: at the pointer, or where the slider says, for whoever has none.
(() => {
  const data = JSON.parse(document.getElementById("points").textContent);
  if (!timeAxis || !data.second.length) return;
  const { charts, figures } = timeAxis;
  const slider = document.querySelector("[data-moment]");
  const HINT = "Point at a chart for its values; drag over it to see a part of the run in all of them.";
  const count = (value) => value === null ? "–" : value > 0 && value < 10 && value % 1 ? value.toFixed(2) : Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
  const ms = (value) => value === null ? "–" : value >= 1000 ? (value / 1000).toFixed(1) + " s" : value.toFixed(1) + " ms";
  const say = {
    lanes: () => "",
    throughput: (i) => `sent ${count(data.sent[i])}/s · acknowledged ${count(data.acked[i])}/s · read ${count(data.read[i])}/s`,
    errors: (i) => `failed ${count(data.failed[i])}/s · indeterminate ${count(data.indeterminate[i])}/s`,
    latency: (i) => `p50 ${ms(data.p50[i])} · p99 ${ms(data.p99[i])} · longest ${ms(data.max[i])}`,
    replication: (i) => `${count(data.under_replicated[i])} partitions`,
    unread: (i) => `${count(data.unread[i])} records`,
    lag: (i) => ms(data.lag[i]),
  };
  const cursors = charts.map(({ svg, top, bottom }) => {
    const line = document.createElementNS(svg.namespaceURI, "line");
    line.setAttribute("class", "cursor");
    line.setAttribute("y1", top);
    line.setAttribute("y2", bottom);
    svg.append(line);
    return line;
  });
  let moment = null;
  const place = () => {
    const { from, to } = timeAxis.view();
    const seen = moment !== null && moment >= from && moment <= to;
    charts.forEach((chart, index) => {
      cursors[index].style.display = seen ? "" : "none";
      if (seen) {
        cursors[index].setAttribute("x1", timeAxis.x(chart, moment));
        cursors[index].setAttribute("x2", timeAxis.x(chart, moment));
      }
    });
    if (!seen) {
      figures.forEach((figure, index) => {
        figure.querySelector(".readout").textContent = index === 0 ? HINT : "";
      });
      return;
    }
    const index = Math.max(0, Math.min(data.second.length - 1, Math.floor((moment - data.second[0]) / data.each)));
    const time = `${data.second[index]}${data.each > 1 ? ` to ${data.second[index] + data.each}` : ""} s`;
    const told = figures.map((figure) => {
      const text = say[figure.dataset.chart](index);
      figure.querySelector(".readout").textContent = text ? `${time} · ${text}` : `${moment.toFixed(1)} s`;
      return text;
    });
    slider.value = moment;
    slider.setAttribute("aria-valuetext", [time, ...told.filter((text) => text)].join("; "));
  };
  const point = (at) => {
    moment = at;
    place();
  };
  timeAxis.point = point;
  const range = () => {
    const { from, to } = timeAxis.view();
    slider.min = from;
    slider.max = to;
    // A point a step, or finer where little is shown.
    slider.step = Math.min(data.each, (to - from) / 10);
    place();
  };
  timeAxis.onChange(range);
  range();
  slider.addEventListener("input", () => point(Number(slider.value)));
  for (const chart of charts) {
    chart.svg.addEventListener("pointermove", (event) => point(timeAxis.momentAt(chart, event.clientX)));
    chart.svg.addEventListener("pointerleave", () => point(null));
  }
})();
