/* From standard to depthwise by one argument: which inputs each output reads, what that costs, and what the clock says. */
(() => {
  "use strict";
  const { define, h, s, count, short, number, picture, scale, table } = window.courseExplorables;

  const CHANNELS = [32, 64, 128, 256], KERNELS = [3, 5, 7];
  const doublings = (channels) => Array.from({ length: Math.log2(channels) + 1 }, (_, i) => 2 ** i);
  const colour = (groups) => (groups === 1 ? "var(--plain)" : "var(--separable)");
  const several = (many, one) => `${many} ${one}${many === 1 ? "" : "s"}`;
  const ms = (time) => `${short(Number(time.toPrecision(3)))} ms`;
  /** A share of the standard convolution's cost as a factor: "÷ 32", "× 1.11", "=". */
  const factor = (share) => (share < 0.995 ? `÷ ${short(1 / share)}` : share > 1.005 ? `× ${short(share)}` : "=");

  const middle = { "text-anchor": "middle" }, end = { "text-anchor": "end" }, bold = { "font-weight": 700 };
  const text = (x, y, words, options) => s("text", { x, y, ...options }, words);
  const line = (d, options) => s("path", { d, fill: "none", stroke: "currentColor", ...options });
  const square = (x, y, side) => `M${[x, y].map((at) => Number(at.toFixed(3)))}h${side}v${side}h${-side}z`;

  /** A row for each number of groups: cost, with that of the 1×1 if there is one, and times in ms, as recorded. */
  function rowsOf({ channels, kernel, pointwise }, data) {
    const times = data.times[`${channels}/${kernel}`], standard = kernel * kernel * channels * channels;
    const first = times[0][0][0] / 1000; // of the standard convolution alone, with which all is compared
    return doublings(channels).map((groups, i) => {
      const parameters = standard / groups + (pointwise ? channels * channels : 0);
      const [time, low, high] = times[pointwise ? 1 : 0][i].map((micro) => micro / 1000);
      const shares = { cost: parameters / standard, time: time / first, low: low / first, high: high / first };
      return { groups, parameters, macs: parameters * data.size ** 2, time, low, high, shares };
    });
  }

  const LEFT = 24, TOP = 26, SIDE = 152, RIGHT = 206; // of the two squares

  /** The filter of one output channel: a kernel for each input that it reads, 15 at most. */
  function filter(kernel, groups, size) {
    const shown = size > 16 ? 15 : size, edge = 29, pitch = 41;
    const places = Array.from({ length: shown }, (_, i) => [RIGHT + (i % 4) * pitch, TOP + Math.floor(i / 4) * pitch]);
    const cuts = Array.from({ length: kernel - 1 }, (_, i) => Number((((i + 1) * edge) / kernel).toFixed(2)));
    const inner = places.flatMap(([x, y]) => cuts.map((cut) => `M${x + cut} ${y}v${edge}M${x} ${y + cut}h${edge}`));
    const outer = places.map(([x, y]) => square(x, y, edge)).join("");
    return [
      s("path", { d: outer, fill: colour(groups), "fill-opacity": 0.8, stroke: "currentColor" }),
      line(inner.join(""), { "stroke-opacity": 0.6 }),
      size > shown ? text(RIGHT + 3 * pitch + edge / 2, TOP + 3 * pitch + 17, "…", middle) : null,
    ];
  }

  /** A row for each output channel, a column for each input channel. Output 5 of 8 is the example, as in the chapter. */
  function connections({ channels, kernel, groups, pointwise }) {
    const size = channels / groups, part = SIDE / groups, form = `${kernel}×${kernel}`;
    const output = (channels * 5) / 8, from = Math.floor(output / size) * size;
    const row = TOP + ((output + 0.5) / channels) * SIDE, thick = Math.max(2, SIDE / channels);
    const reads = size === 1 ? `input ${from}` : `${from} to ${from + size - 1}`;
    const weights = pointwise ? channels : kernel ** 2 * size;
    const blocks = Array.from({ length: groups }, (_, i) => square(LEFT + i * part, TOP + i * part, part)).join("");
    const box = (x, options) => s("rect", { x, y: TOP, width: SIDE, height: SIDE, stroke: "currentColor", ...options });
    const band = (x, width, opacity) =>
      s("rect", { x, y: row - thick / 2, width, height: thick, fill: "currentColor", "fill-opacity": opacity });
    const label = `Which of ${channels} output channels read which of ${channels} input channels: ${several(groups, "block")} ` +
      `on the diagonal, ${size} by ${size} channels each. Output ${output} reads ${reads}.` +
      (pointwise ? " Then a 1×1, in which each output reads all." : "");
    return picture(label, 230, [
      text(LEFT + SIDE / 2, 14, `${form}, ${several(groups, "group")}`, { ...middle, ...bold }),
      text(RIGHT + SIDE / 2, 14, pointwise ? "then 1×1" : `filter of output ${output}`, { ...middle, ...bold }),
      // a line around each block would cover the smallest
      s("path", { class: "blocks", d: blocks, fill: colour(groups), "fill-opacity": 0.8,
        stroke: part < 4 ? colour(groups) : "currentColor" }),
      box(LEFT, { fill: "none", "stroke-opacity": 0.5 }),
      band(LEFT, SIDE, 0.3), band(LEFT + (from / channels) * SIDE, part, 1),
      line(`M${LEFT + SIDE} ${row.toFixed(1)}H${RIGHT - 5}m-6 -4l6 4l-6 4`),
      pointwise ? [box(RIGHT, { fill: "var(--neutral)", "fill-opacity": 0.6 }), band(RIGHT, SIDE, 1)]
        : filter(kernel, groups, size),
      s("text", { transform: `translate(15 ${TOP + SIDE / 2}) rotate(-90)`, ...middle }, "output channels"),
      text(LEFT + SIDE / 2, 196, "input channels", middle),
      number("reads", size, `output ${output} reads ${reads}`, s, { x: LEFT + SIDE / 2, y: 213, ...middle }),
      text(RIGHT + SIDE / 2, 196, pointwise ? `reads all ${channels}:` : `${several(size, "kernel")} of ${form}:`, middle),
      number("weights", weights, `${count(weights)} weights`, s, { x: RIGHT + SIDE / 2, y: 213, ...middle }),
    ]);
  }

  /** Cost and time as shares of the standard convolution's, over the groups; both axes logarithmic. */
  function chart(rows, now) {
    const left = 40, right = 348, top = 88, bottom = 195, place = rows.indexOf(now);
    const every = rows.flatMap(({ shares }) => Object.values(shares));
    const low = Math.floor(Math.log2(Math.min(...every))), high = Math.log2(Math.max(...every)) + 0.15;
    const x = scale(0, rows.length - 1, left + 8, right - 8), y = scale(2 ** low, 2 ** high, bottom, top, true);
    const step = Math.ceil((high - low) / 5), ticks = [];
    for (let power = step * Math.floor(high / step); power >= low; power -= step) ticks.push(power);
    const at = (i, share) => `${x(i).toFixed(1)} ${y(share).toFixed(1)}`;
    const along = (key) => rows.map((row, i) => at(i, row.shares[key]));
    const cost = { "stroke-dasharray": "5 4", "stroke-width": 1.5 }, clock = { stroke: "var(--separable)", "stroke-width": 2.5 };
    const dot = (row, cx, cy) => s("circle", { cx, cy, r: row === now ? 5 : 3, fill: colour(row.groups),
      stroke: "currentColor", "stroke-width": row === now ? 1.5 : 0 });
    const readout = (up, what, name, value, shown, share) => [
      text(42, up, what),
      number(name, value, shown, s, { x: 226, y: up, ...end }),
      number(`${name}.share`, share, factor(share), s, { x: 246, y: up, ...bold }),
    ];
    const label = "Cost and recorded time over the groups, compared with the standard convolution. " +
      `With ${several(now.groups, "group")}: multiply-adds ${factor(now.shares.cost)}, time ${factor(now.shares.time)}.`;
    return picture(label, 230, [
      text(194, 14, "compared with the standard convolution", { ...middle, ...bold }),
      line("M8 40H34", cost), line("M8 65H34", clock), dot(now, 21, 65),
      readout(35, "parameters", "parameters", now.parameters, short(now.parameters), now.shares.cost),
      readout(52, "multiply-adds", "macs", now.macs, short(now.macs), now.shares.cost),
      readout(69, "recorded time", "time", now.time, ms(now.time), now.shares.time),
      ticks.map((power) => [
        s("path", { class: "grid", d: `M${left} ${y(2 ** power).toFixed(1)}H${right}` }),
        text(left - 5, y(2 ** power) + 4, power === 0 ? "1" : power < 0 ? `÷${2 ** -power}` : `×${2 ** power}`, end),
      ]),
      line(`M${x(place).toFixed(1)} ${top}V${bottom}`, { "stroke-opacity": 0.5 }),
      line(`M${[...along("time"), ...along("cost").reverse()].join("L")}z`,
        { fill: "var(--separable)", "fill-opacity": 0.2, stroke: "none" }),
      line(`M${along("cost").join("L")}`, cost), line(`M${along("time").join("L")}`, clock),
      s("circle", { cx: x(place), cy: y(now.shares.cost), r: 3.5, fill: "currentColor" }),
      rows.map((row, i) => [
        line(`M${at(i, row.shares.low)}L${at(i, row.shares.high)}`),
        dot(row, x(i), y(row.shares.time)),
        text(x(i), bottom + 16, `${row.groups}`, { ...middle, ...(row === now ? bold : {}) }),
      ]),
      text(left, bottom + 31, "standard"), text(194, bottom + 31, "groups", middle), text(right, bottom + 31, "depthwise", end),
    ]);
  }

  function sentence({ channels, kernel, groups, pointwise }, { parameters, macs, time, shares }) {
    const size = channels / groups, form = `${kernel}×${kernel}`, mixing = Math.round((100 * channels ** 2) / parameters);
    const last = pointwise ? ` The 1×1, in which every output reads all channels, has ${mixing} % of the multiply-adds.` : "";
    const start = pointwise ? `A standard ${form} convolution and a 1×1` : `One group is the standard ${form} convolution`;
    if (groups === 1)
      return `${start}: each output reads all ${channels} input channels, for ${short(macs)} multiply-adds in ${ms(time)}.` +
        (last || " More groups leave only blocks on the diagonal.");
    const faster = shares.time < 0.95, behind = shares.time > 1.25 * shares.cost;
    const clock = faster ? `${behind ? "only " : ""}${short(1 / shares.time)} times less time`
      : shares.time > 1.05 ? `${short(shares.time)} times the time` : "about the same time";
    return `With ${groups} groups${size === 1 ? " (depthwise)" : ""} each output of the ${form} reads ${size} of ${channels} ` +
      `input channels. That is ${short(1 / shares.cost)} times fewer multiply-adds than in the standard convolution, ` +
      `${behind ? "but" : "and"} ${clock}. In the ${form} every input value that is fetched serves ` +
      `${count(kernel ** 2 * size)} multiply-adds instead of ${count(kernel ** 2 * channels)}.${last}`;
  }

  define("separable", {
    title: "From standard to depthwise convolution",
    start: () => ({ groups: 32, channels: 256, kernel: 3, pointwise: false }),
    settle: (wish) => ({ ...wish, groups: Math.min(wish.groups, wish.channels) }),
    controls: (state) => [
      { name: "groups", label: "groups", kind: "range", values: doublings(state.channels) },
      { name: "channels", label: "channels", kind: "range", values: CHANNELS },
      { name: "kernel", label: "kernel", kind: "range", values: KERNELS, show: (k) => `${k}×${k}` },
      { name: "pointwise", label: "followed by a 1×1", kind: "switch" },
    ],
    draw(state, { data }) {
      const rows = rowsOf(state, data), now = rows.find((row) => row.groups === state.groups), exact = (time) => time.toFixed(3);
      const cells = (row) => [count(row.parameters), count(row.macs), exact(row.time), `${exact(row.low)} to ${exact(row.high)}`];
      return {
        figure: [connections(state), chart(rows, now)],
        sentence: sentence(state, now),
        table: h("div", {},
          table(["groups", "parameters", "multiply-adds", "median (ms)", "quartiles (ms)"],
            rows.map((row) => [`${row.groups}`, ...cells(row)])),
          h("p", {}, `Times of ${data.repeats} forward passes of one image of ${data.size}×${data.size}, ` +
            `the quickest of ${data.rounds} rounds; ${data.machine}.`)),
      };
    },
  });
})();
