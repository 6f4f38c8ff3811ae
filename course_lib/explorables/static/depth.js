/* Depth: recorded training curves and gradient norms of plain and residual networks, from 8 to 56 layers. */
(() => {
  "use strict";
  const { define, s, count, number, picture, scale, table } = window.courseExplorables;

  const LEFT = 34, RIGHT = 246, TOP = 26, BOTTOM = 134, SHALLOW = 20;
  const KINDS = { plain: { name: "plain", colour: "var(--plain)" }, residual: { name: "ResNet", colour: "var(--residual)" } };
  const other = (kind) => (kind === "plain" ? "residual" : "plain");
  const label = (kind, depth) => `${KINDS[kind].name}-${depth}`;
  const capital = (text) => text[0].toUpperCase() + text.slice(1);

  const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;
  /** Sample standard deviation. */
  function spread(values) {
    const middle = mean(values);
    return Math.sqrt(values.reduce((sum, one) => sum + (one - middle) ** 2, 0) / (values.length - 1));
  }
  /** As `Summary.clearly_above`: every value above every other, and the means further apart than both spreads together. */
  const above = (a, b) => Math.min(...a) > Math.max(...b) && mean(a) - mean(b) > spread(a) + spread(b);
  const percent = (values) => `${mean(values).toFixed(1)}\u00a0±\u00a0${spread(values).toFixed(1)}`; // in one line
  const last = (runs) => runs.map((run) => run[run.length - 1]);
  /** The seeds' values of each entry of their lists, and their means. */
  const entries = (runs) => runs[0].map((_, i) => runs.map((run) => run[i]));
  const means = (runs) => entries(runs).map(mean);
  /** 100·log10 is stored. Their mean over seeds gives the geometric mean of the norms. */
  const norm = (hundredths) => 10 ** (hundredths / 100);
  const digits = (value) => (value >= 100 ? count(Number(value.toPrecision(2))) : value.toPrecision(2));
  const ratio = (runs) => norm(mean(runs.map((run) => run[0] - run[run.length - 1])));

  /** Lines of one network: thin ones per seed and a bold mean; of a ghost the mean alone. */
  function network({ runs, kind, ghost, dashes }, x, y) {
    const line = (values, width, opacity) => s("polyline", {
      points: values.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`).join(" "),
      fill: "none", stroke: KINDS[kind].colour, "stroke-width": width, "stroke-opacity": opacity,
      "stroke-linejoin": "round", "stroke-dasharray": dashes });
    return ghost ? line(means(runs), 1.4, 0.6) : [...runs.map((run) => line(run, 0.7, 0.6)), line(means(runs), 2.8, 1)];
  }
  /** Names beside the ends of the lines, pushed apart upwards where they would overlap. */
  function names(lines, y, write) {
    let free = BOTTOM + 4;
    const ends = lines.map((one) => ({ ...one, end: y(mean(last(one.runs))) })).sort((a, b) => b.end - a.end);
    return ends.map((one) => {
      const place = Math.min(one.end, free);
      free = place - 14;
      return [
        s("line", { x1: RIGHT + 1, y1: one.end, x2: RIGHT + 12, y2: place, stroke: KINDS[one.kind].colour, "stroke-width": 1 }),
        write(one, { x: RIGHT + 15, y: place + 4, "font-size": 11.5, "font-weight": one.ghost ? null : 700 }),
      ];
    });
  }
  function panel(title, said, lines, { x, y, rows, columns, write }) {
    const text = (at, line, content, anchor) => s("text", { x: at, y: line, "text-anchor": anchor, "font-size": 11 }, content);
    return picture(said, BOTTOM + 20, [
      s("text", { x: 2, y: 13, "font-weight": 700 }, title),
      rows.map(([value, shown]) => [
        s("line", { class: "grid", x1: LEFT, x2: RIGHT, y1: y(value), y2: y(value) }),
        text(LEFT - 5, y(value) + 4, shown, "end"),
      ]),
      columns.map(([at, shown, anchor]) => text(at, BOTTOM + 16, shown, anchor)),
      [...lines].reverse().map((one) => network(one, x, y)),
      names(lines, y, write),
    ]);
  }

  /** The chosen networks, those of the other kind, and the 20 layers to compare with. */
  function curves(data, kind, depth) {
    const lines = [
      { kind, depth },
      { kind: other(kind), depth, ghost: true },
      ...(depth === SHALLOW ? [] : [{ kind, depth: SHALLOW, ghost: true, dashes: "5 3" }]),
    ].map((one) => ({ ...one, runs: data.networks[one.kind][one.depth].train_error }));
    const x = scale(1, data.epochs, LEFT + 6, RIGHT), y = scale(0, 100, BOTTOM, TOP);
    const said = lines.map((one) => `${label(one.kind, one.depth)} ends at ${mean(last(one.runs)).toFixed(1)}`).join(", ");
    return panel("training error (%) by epoch", `Training error in percent over ${data.epochs} epochs: ${said}.`, lines, {
      x: (i) => x(i + 1), y,
      rows: [0, 50, 100].map((value) => [value, value]),
      columns: lines[0].runs[0].map((_, i) => [x(i + 1), i + 1, "middle"]),
      write: (one, place) => number(`end.${one.kind}.${one.depth}`, mean(last(one.runs)),
        `${label(one.kind, one.depth)} ${mean(last(one.runs)).toFixed(1)}`, s, place),
    });
  }

  function gradients(data, kind, depth) {
    const lines = [kind, other(kind)].flatMap((one, i) => ["after", "before"].map((when) =>
      ({ kind: one, when, runs: data.networks[one][depth][when], ghost: i > 0, dashes: when === "before" && "2 2.5" })));
    const layers = depth - 1, x = scale(0, layers - 1, LEFT + 6, RIGHT), y = scale(-330, 300, BOTTOM, TOP);
    const ratios = lines.map((one) => `${label(one.kind, depth)} ${one.when} training ${digits(ratio(one.runs))} times`);
    const said = `Gradient norm of each convolution; the first layer's against the last's: ${ratios.join(", ")}.`;
    return panel("gradient norm (log axis), first layer to last", said, lines, {
      x, y,
      rows: [[-200, "0.01"], [0, "1"], [200, "100"]],
      columns: [[LEFT + 6, "layer 1", "start"], [RIGHT, `layer ${layers}`, "end"]],
      write: (one, place) =>
        number(`ratio.${one.kind}.${one.when}`, ratio(one.runs), `${KINDS[one.kind].name} ${one.when}`, s, place),
    });
  }

  function tables(data, kind, depth) {
    const kinds = [kind, other(kind)], of = (one, what) => entries(data.networks[one][depth][what]);
    const cell = (what, one, i) => number(`${what}.${one}.${i + 1}`, mean(of(one, what)[i]), percent(of(one, what)[i]));
    const run = `Mean ± sample standard deviation of ${data.seeds.length} seeds, recorded by “${data.command}” `
      + `on ${data.machine}: the digits, ${data.epochs} epochs, learning rate ${data.lr}, batches of ${data.batch_size}.`;
    const gradient = `Geometric mean of ${data.seeds.length} seeds, for the loss of ${data.images} training images, before the `
      + "first epoch and after the last: the stem, and the first and last layer of each stage.";
    const errors = of(kind, "train_error").map((_, i) =>
      [`epoch ${i + 1}`, ...kinds.flatMap((one) => ["train_error", "test_error"].map((what) => cell(what, one, i)))]);
    const n = (depth - 2) / 6, ends = [1, 2, 2 * n + 1, 2 * n + 2, 4 * n + 1, 4 * n + 2, 6 * n + 1];
    const layers = ends.map((layer) => [`layer ${layer}`, ...kinds.flatMap((one) => ["before", "after"].map((when) => {
      const value = norm(mean(of(one, when)[layer - 1]));
      return number(`${when}.${one}.${layer}`, value, digits(value));
    }))]);
    const heads = (words) => kinds.flatMap((one) => words.map((word) => `${label(one, depth)} ${word}`));
    return [
      table(["error in %", ...heads(["training", "test"])], errors, run),
      table(["gradient norm", ...heads(["before", "after"])], layers, gradient),
    ];
  }

  define("depth", {
    title: "Depth, with and without shortcuts",
    start: () => ({ depth: 56, shortcuts: false }),
    controls: (state, data) => [
      { name: "depth", label: "depth", kind: "range", unit: "layers", values: Object.keys(data.networks.plain).map(Number) },
      { name: "shortcuts", label: "shortcuts", kind: "switch" },
    ],
    draw({ depth, shortcuts }, { data }) {
      const ends = (one, layers) => last(data.networks[one][layers].train_error);
      const kind = shortcuts ? "residual" : "plain", here = ends(kind, depth), there = ends(kind, SHALLOW);
      const [more, fewer] = depth > SHALLOW ? [here, there] : [there, here];
      const verdict = above(more, fewer) ? "more layers train worse"
        : above(fewer, more) ? "more layers train better" : "no difference beyond the spread";
      const { before, after } = data.networks[kind][depth];
      return {
        figure: [curves(data, kind, depth), gradients(data, kind, depth)],
        sentence: [
          `In epoch ${data.epochs} ${label(kind, depth)} has ${percent(here)}\u00a0% training error, `,
          `${shortcuts ? "without" : "with"} shortcuts (${label(other(kind), depth)}) `,
          `${percent(ends(other(kind), depth))}\u00a0% (mean ± sample standard deviation, n = ${data.seeds.length} seeds). `,
          depth === SHALLOW ? "" : `${capital(label(kind, SHALLOW))} has ${percent(there)}\u00a0%: ${verdict}. `,
          `The gradient does not vanish: the first layer's norm is ${digits(ratio(before))} times the last's `,
          `before training, ${digits(ratio(after))} times after.`,
        ],
        table: tables(data, kind, depth),
      };
    },
  });
})();
