// Draws the calls per second of a report. The numbers stand in the page as JSON; colours come from its style sheet.
"use strict";
(function () {
  const pace = JSON.parse(document.getElementById("pace").textContent);
  const place = document.getElementById("chart");
  const readout = document.getElementById("readout");
  const limits = ["documented", "account", "cap"].filter((name) => pace.limits[name] !== null);

  // Each point stands for a stretch of time: the last one needs an end to be seen.
  const times = pace.offsets.map((offset) => pace.begin + offset);
  times.push(times[times.length - 1] + pace.width);
  const extended = (values) => values.concat(values[values.length - 1]);
  const ended = (values) => values.concat(0);
  const columns = [times, extended(pace.accepted), ended(pace.throttled), ended(pace.other)];
  limits.forEach((name) => columns.push(times.map(() => pace.limits[name])));
  const top = Math.max(...columns.slice(1).map((column) => Math.max(...column))) * 1.08;

  const steps = [1, 2, 5, 10, 15, 30].concat(
    [1, 2, 5, 10, 15, 30].map((minutes) => minutes * 60), [1, 2, 3, 6, 12, 24, 48, 168].map((hours) => hours * 3600));

  const clock = new Intl.DateTimeFormat("en-GB", {
    timeZone: pace.zone, hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  const rate = (value) => (value < 10 ? Math.round(value * 10) / 10 : Math.round(value));
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

  function tell(chart) {
    const at = chart.cursor.idx;
    if (at === null || at === undefined) {
      readout.textContent = "\u00a0";
      return;
    }
    const stretch = Math.min(at, pace.offsets.length - 1);
    const other = pace.other[stretch] ? ", " + rate(pace.other[stretch]) + " refused or unanswered" : "";
    readout.textContent = clock.format(new Date(times[stretch] * 1000)) + ": " + rate(pace.accepted[stretch]) +
      " accepted, " + rate(pace.throttled[stretch]) + " throttled" + other;
  }

  function options() {
    const stepped = uPlot.paths.stepped({ align: 1 });
    // Trouble is drawn as bars, which leave no line where there is none.
    const bars = uPlot.paths.bars({ size: [1, Infinity], align: 1 });
    const trouble = (name) => ({
      stroke: colour(name), fill: colour(name), width: 0, paths: bars, points: { show: false },
    });
    const axis = {
      stroke: colour("muted"), font: "12px " + getComputedStyle(document.body).fontFamily,
      grid: { stroke: colour("border"), width: 1 }, ticks: { stroke: colour("border"), width: 1 },
    };
    return {
      width: place.clientWidth,
      height: place.clientWidth < 480 ? 190 : 260,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), pace.zone),
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: { y: { range: [0, top] } },
      axes: [
        Object.assign({ space: 70, incrs: steps, values: [
          [86400, "{YYYY}-{MM}-{DD}", null, null, null, null, null, null, 1],
          [3600, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{YYYY}-{MM}-{DD}", null, null, null, 1],
          [60, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{YYYY}-{MM}-{DD}", null, null, null, 1],
          [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1],
        ] }, axis),
        Object.assign({ size: 40 }, axis),
      ],
      series: [{}, {
        stroke: colour("accepted"), fill: colour("accepted-fill"), width: 1.5, paths: stepped, points: { show: false },
      }, trouble("throttled"), trouble("other")].concat(
        limits.map((name) => ({
          stroke: colour(name), width: 1.5, dash: name === "documented" ? [2, 4] : [7, 4], points: { show: false },
        })),
      ),
      hooks: { setCursor: [tell] },
    };
  }

  let chart = null;
  function draw() {
    if (chart) chart.destroy();
    chart = new uPlot(options(), columns, place);
  }

  readout.hidden = false;
  draw();
  let width = place.clientWidth;
  new ResizeObserver(() => {
    if (place.clientWidth !== width) {
      width = place.clientWidth;
      draw();
    }
  }).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
