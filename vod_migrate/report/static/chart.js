// Draws the calls per second of a report. The numbers stand in the page as JSON (#rates); colours come from its style sheet.
// "vod:rates" on the document says that the numbers changed, "vod:theme" that the colours did.
"use strict";
(function () {
  const steps = [1, 2, 5, 10, 15, 30].concat(
    [1, 2, 5, 10, 15, 30].map((minutes) => minutes * 60), [1, 2, 3, 6, 12, 24, 48, 168].map((hours) => hours * 3600));
  const rate = (value) => (value < 10 ? Math.round(value * 10) / 10 : Math.round(value));
  const find = (id) => document.getElementById(id);

  let chart = null;
  let rates = null;
  let columns = [];
  let place = null;
  let width = 0;
  let watcher = null;

  // A canvas knows no custom properties, and no colour that depends on the theme: the browser resolves them first.
  function colour(name) {
    const probe = document.createElement("i");
    probe.style.color = "var(--" + name + ")";
    place.append(probe);
    const resolved = getComputedStyle(probe).color;
    probe.remove();
    return resolved;
  }

  function read() {
    rates = JSON.parse(find("rates").textContent);
    rates.shown = ["documented", "account", "cap"].filter((name) => rates.limits[name] !== null);
    // Each point stands for a stretch of time: the last one needs an end to be seen.
    const times = rates.offsets.map((offset) => rates.begin + offset);
    times.push(times[times.length - 1] + rates.width);
    const extended = (values) => values.concat(values[values.length - 1]);
    const ended = (values) => values.concat(0);
    columns = [times, extended(rates.accepted), ended(rates.throttled), ended(rates.other)];
    rates.shown.forEach((name) => columns.push(times.map(() => rates.limits[name])));
  }

  const top = () => Math.max(...columns.slice(1).map((column) => Math.max(...column))) * 1.08;

  function tell(drawn) {
    const readout = find("readout");
    const at = drawn.cursor.idx;
    if (at === null || at === undefined) {
      readout.textContent = "\u00a0";
      return;
    }
    const clock = new Intl.DateTimeFormat("en-GB", {
      timeZone: rates.zone, hour: "2-digit", minute: "2-digit", second: "2-digit",
    });
    const stretch = Math.min(at, rates.offsets.length - 1);
    const parts = ["accepted", "throttled"].map((name) => rate(rates[name][stretch]) + " " + rates.words[name]);
    if (rates.other[stretch]) parts.push(rate(rates.other[stretch]) + " " + rates.words["refused or unanswered"]);
    readout.textContent = clock.format(new Date(columns[0][stretch] * 1000)) + ": " + parts.join(", ");
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
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), rates.zone),
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: { y: { range: () => [0, top()] } },
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
        rates.shown.map((name) => ({
          stroke: colour(name), width: 1.5, dash: name === "documented" ? [2, 4] : [7, 4], points: { show: false },
        })),
      ),
      hooks: { setCursor: [tell] },
    };
  }

  function draw() {
    if (chart) chart.destroy();
    chart = new uPlot(options(), columns, place);
    width = place.clientWidth;
  }

  function update() {
    if (!find("rates") || !find("chart")) return;
    const before = rates ? rates.shown.join() : "";
    read();
    if (chart && place === find("chart") && before === rates.shown.join()) {
      chart.setData(columns);
      return;
    }
    place = find("chart");
    find("readout").hidden = false;
    draw();
    if (watcher) watcher.disconnect();
    watcher = new ResizeObserver(() => {
      if (place.clientWidth !== width) draw();
    });
    watcher.observe(place);
  }

  const redraw = () => chart && draw();
  update();
  document.addEventListener("vod:rates", update);
  document.addEventListener("vod:theme", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
})();
