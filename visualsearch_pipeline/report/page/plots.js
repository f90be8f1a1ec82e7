"use strict";
// Stacked bars per day, drawn by uPlot. Each has a table beside it that says the same in words.
visualSearchReport.createPlots = () => {
  const { element } = visualSearchReport;
  const DAY = 86400;
  const HEIGHT = 240;
  const drawn = []; // {host, draw}: to be drawn again for another width or colour scheme

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const seriesColour = (index) => colour(`--series-${index % 8}`);

  // days: ISO days; series: [{name, values}]; the values of a day are stacked.
  function stackedBars({ title, days, series, value }) {
    const host = element("div", { className: "plot", attributes: { role: "img", "aria-label": title } });
    const times = days.map((day) => Date.parse(`${day}T00:00:00Z`) / 1000);
    const sums = new Array(days.length).fill(0);
    const stacked = series.map(({ values }) => values.map((number, index) => (sums[index] += number)));
    let plot = null;

    function draw() {
      const width = host.clientWidth;
      if (!width) return;
      plot?.destroy();
      const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
      const bars = uPlot.paths.bars({ size: [0.7, 64], radius: 0 });
      plot = new uPlot(
        {
          width,
          height: HEIGHT,
          tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
          legend: { show: false },
          cursor: { drag: { x: false, y: false }, points: { show: false } },
          scales: {
            x: { range: [times[0] - DAY * 0.7, times.at(-1) + DAY * 0.7] },
            y: { range: (_, least, most) => [0, (most || 1) * 1.08] },
          },
          axes: [
            { ...axis, size: 32, grid: { show: false }, splits: (u) => dayMarks(times, u), values: (_, marks) => marks.map(dayLabel) },
            { ...axis, size: 68, values: (_, marks) => marks.map(value) },
          ],
          // The tallest is drawn first; the shorter ones stand before it.
          series: [
            {},
            ...series
              .map(({ name }, index) => ({ label: name, fill: seriesColour(index), width: 0, paths: bars, points: { show: false } }))
              .reverse(),
          ],
        },
        [times, ...stacked.toReversed()],
        host,
      );
      plot.root.setAttribute("aria-hidden", "true");
    }

    drawn.push({ host, draw });
    return host;
  }

  function dayMarks(times, plot) {
    const room = Math.max(2, Math.floor(plot.width / 90));
    const step = Math.ceil(times.length / room);
    return times.filter((_, index) => index % step === 0);
  }

  const months = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const dayLabel = (seconds) => months.format(new Date(seconds * 1000));

  function draw() {
    for (const plot of drawn) plot.draw();
  }

  let pending = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(draw);
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  return { stackedBars, draw, swatch: (index) => element("span", { className: `swatch series-${index % 8}` }) };
};
