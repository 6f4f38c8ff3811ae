/* Inception modules drawn to scale, with branches of one's own widths: what each branch costs, and what the module would cost
   without its reductions or without its factorised kernels. Counted as `course_lib.cost` counts the course's own modules. */
(() => {
  "use strict";
  const { define, h, s, count, short, number, picture, table } = window.courseExplorables;

  const WIDTHS = [8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384, 448, 512];
  const TABLE_1 = { // Szegedy et al. 2015: 1×1; 3×3 reduction, 3×3; 5×5 reduction, 5×5; pool projection. Then channels in, size
    "3a": [64, 96, 128, 16, 32, 32, 192, 28], "3b": [128, 128, 192, 32, 96, 64, 256, 28],
    "4a": [192, 96, 208, 16, 48, 64, 480, 14], "4b": [160, 112, 224, 24, 64, 64, 512, 14],
    "4c": [128, 128, 256, 24, 64, 64, 512, 14], "4d": [112, 144, 288, 32, 64, 64, 512, 14],
    "4e": [256, 160, 320, 32, 128, 128, 528, 14], "5a": [256, 160, 320, 32, 128, 128, 832, 7],
    "5b": [384, 192, 384, 48, 128, 128, 832, 7],
  };
  /* A branch is written as its layers from the input on: "max" or "avg", a pooling of 3×3 that keeps the size; or a convolution,
     kernel and width; or two side by side, joined by "+". */
  const SPECS = {
    ...Object.fromEntries(Object.entries(TABLE_1).map(([name, [c1, reduce3, c3, reduce5, c5, pool, from, size]]) =>
      [`GoogLeNet ${name}`, [from, size, { "1×1": `1×1 ${c1}`, "3×3": `1×1 ${reduce3}, 3×3 ${c3}`,
        "5×5": `1×1 ${reduce5}, 5×5 ${c5}`, pool: `max, 1×1 ${pool}` }]])),
    "Inception-v3 5b": [192, 35, { "1×1": "1×1 64", "5×5": "1×1 48, 5×5 64", "two 3×3": "1×1 64, 3×3 96, 3×3 96", pool: "avg, 1×1 32" }],
    "Inception-v3 6b": [768, 17, { "1×1": "1×1 192", "7×7": "1×1 128, 1×7 128, 7×1 192",
      "two 7×7": "1×1 128, 7×1 128, 1×7 128, 7×1 128, 1×7 192", pool: "avg, 1×1 192" }],
    "Inception-v3 7b": [1280, 8, { "1×1": "1×1 320", split: "1×1 384, 1×3 384 + 3×1 384",
      "3×3 split": "1×1 448, 3×3 384, 1×3 384 + 3×1 384", pool: "avg, 1×1 192" }],
    "Inception-v4 A": [384, 35, { "1×1": "1×1 96", "3×3": "1×1 64, 3×3 96", "two 3×3": "1×1 64, 3×3 96, 3×3 96", pool: "avg, 1×1 96" }],
    "Inception-v4 B": [1024, 17, { "1×1": "1×1 384", "7×7": "1×1 192, 1×7 224, 7×1 256",
      "two 7×7": "1×1 192, 7×1 192, 1×7 224, 7×1 224, 1×7 256", pool: "avg, 1×1 128" }],
    "Inception-v4 C": [1536, 8, { "1×1": "1×1 256", split: "1×1 384, 1×3 256 + 3×1 256",
      "3×3 split": "1×1 384, 3×1 448, 1×3 512, 1×3 256 + 3×1 256", pool: "avg, 1×1 256" }],
  };

  /** A module as data: its branches are lists of layers {pool} or {convs: [{kernel, width, key}]}; `key` names the width in a state. */
  function read(name, [from, size, texts]) {
    const branches = Object.entries(texts).map(([title, text], b) => {
      let conv = 0;
      const layers = text.split(", ").map((layer) => (/^[a-z]/.test(layer) ? { pool: layer, convs: [] } : {
        convs: layer.split(" + ").map((one) => {
          const [kernel, width] = one.split(" ");
          return { kernel, width: Number(width), key: `${name}.${b}.${conv++}` };
        }),
      }));
      return { title, layers };
    });
    return { name, from, size, normalised: !name.startsWith("GoogLeNet"), branches };
  }
  const MODULES = Object.fromEntries(Object.entries(SPECS).map(([name, spec]) => [name, read(name, spec)]));
  const convsOf = (branches) => branches.flatMap((branch) => branch.layers.flatMap((layer) => layer.convs));
  const widths = (module) => Object.fromEntries(convsOf(module.branches).map(({ key, width }) => [key, width]));
  const withWidths = (module, state) => module.branches.map(({ title, layers }) => ({ title,
    layers: layers.map((layer) => ({ ...layer, convs: layer.convs.map((conv) => ({ ...conv, width: state[conv.key] })) })) }));

  const sides = (kernel) => kernel.split("×").map(Number);
  const large = (layer) => layer !== undefined && layer.convs.length > 0 && layer.convs[0].kernel !== "1×1";
  const reduces = (layers, i) => !layers[i].pool && !large(layers[i]) && (i < layers.length - 1 || Boolean(layers[0].pool));
  const FORMS = {
    naive: { name: "naive form", of: (layers) => layers.filter((_, i) => !reduces(layers, i)) },
    whole: { name: "whole kernels", of(layers) { // two kernels in a row, or a row and a column side by side, as one that covers both
      const merged = [];
      const one = (a, b, width) => ({ convs: [{ kernel: sides(a).map((side, i) => side + sides(b)[i] - 1).join("×"), width }] });
      for (let i = 0; i < layers.length; i += 1) {
        const [a, b] = layers[i].convs, [next] = layers[i + 1]?.convs ?? [];
        if (b) merged.push(one(a.kernel, b.kernel, a.width + b.width));
        else if (large(layers[i]) && large(layers[i + 1]) && layers[i + 1].convs.length === 1)
          merged.push(one(a.kernel, next.kernel, layers[(i += 1)].convs[0].width));
        else merged.push(layers[i]);
      }
      return merged;
    } },
  };

  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const channels = (layer, before) => (layer.pool ? before : sum(layer.convs.map(({ width }) => width)));
  const leaves = (layers, from) => layers.reduce((before, layer) => channels(layer, before), from);
  function costs(layers, { from, size, normalised }) {
    const total = { parameters: 0, macs: 0, activations: 0 };
    let before = from;
    for (const layer of layers) {
      for (const { kernel, width } of layer.convs) {
        const [high, wide] = sides(kernel), weights = high * wide * before * width;
        total.parameters += weights + (normalised ? 2 : 1) * width;
        total.macs += weights * size ** 2;
      }
      before = channels(layer, before);
      total.activations += before * size ** 2;
    }
    return total;
  }
  const MEASURES = {
    macs: { name: "multiply-adds", counted: () => "of the convolutions; poolings and biases are not counted" },
    parameters: { name: "parameters",
      counted: (module) => (module.normalised ? "weights, and scale and shift of batch normalisation" : "weights and biases") },
    activations: { name: "activations", counted: () => "numbers that convolutions and poolings write, once each" },
  };

  const points = (...pairs) => pairs.map((pair) => pair.map((value) => value.toFixed(1)).join(",")).join(" ");
  /** Channels on their way, as a band from one width at one height to another. */
  const flow = (x1, w1, y1, x2, w2, y2) => s("polygon", { fill: "currentColor", "fill-opacity": 0.12,
    points: points([x1 - w1 / 2, y1], [x1 + w1 / 2, y1], [x2 + w2 / 2, y2], [x2 - w2 / 2, y2]) });

  /** The module from top to bottom; all widths at one scale, so that the widest fits its column. */
  function drawing(module, branches, other, state, set) {
    const column = 360 / branches.length, middle = (b) => column * (b + 0.5), top = 36, bar = 14;
    const widest = Math.max(module.from, ...branches.flatMap(({ layers }) => layers.map((layer) => channels(layer, module.from))));
    const unit = (column - 10) / widest;
    const gaps = Array.from({ length: Math.max(...branches.map(({ layers }) => layers.length)) }, (_, row) =>
      (branches.some(({ layers }) => layers[row]?.convs.length === 2) ? 40 : 26));
    const yOf = (row) => top + 8 + sum(gaps.slice(0, row + 1)) + bar * row;
    const bottom = yOf(gaps.length - 1) + bar, end = bottom + 30;
    const outs = branches.map(({ layers }) => leaves(layers, module.from)), total = sum(outs);
    const ends = outs.map((out, b) => 180 + unit * (sum(outs.slice(0, b)) + out / 2 - total / 2));

    const drawn = branches.map(({ title, layers }, b) => {
      const x = middle(b), parts = [];
      let before = module.from, y = top + 8;
      layers.forEach((layer, row) => {
        const after = channels(layer, before), at = yOf(row), [one, two] = layer.convs;
        parts.push(flow(x, before * unit, y, x, after * unit, at));
        const lines = layer.pool ? [`${layer.pool} 3×3`] : two ? [`${one.kernel} + ${two.kernel}`, `→ ${one.width} + ${two.width}`]
          : [`${one.kernel} → ${one.width}`];
        lines.forEach((line, i) => parts.push(
          s("text", { x, y: at - 6 - 14 * (lines.length - 1 - i), "text-anchor": "middle" }, line)));
        let left = x - (after * unit) / 2;
        for (const width of layer.pool ? [after] : layer.convs.map((conv) => conv.width)) {
          parts.push(s("rect", { x: left, y: at, width: width * unit, height: bar, stroke: `var(${layer.pool ? "--neutral" : "--inception"})`,
            "stroke-dasharray": layer.pool ? "3 2" : null, fill: layer.pool ? "none" : "var(--inception)",
            "fill-opacity": reduces(layers, row) ? 0 : 1 }));
          left += width * unit;
        }
        [before, y] = [after, at + bar];
      });
      parts.push(flow(x, before * unit, y, x, before * unit, bottom), flow(x, before * unit, bottom, ends[b], before * unit, end));
      const choose = () => set({ branch: b }), chosen = b === state.branch;
      const words = layers.map((layer) => (layer.pool ? `${layer.pool} pooling`
        : layer.convs.map(({ kernel, width }) => `${kernel} to ${width}`).join(" and "))).join(", then ");
      return s("g", { tabindex: 0, role: "button", "aria-pressed": String(chosen), "data-key": `branch-${b}`, style: "cursor:pointer",
        "aria-label": `branch ${title}: ${words} channels`, onclick: choose,
        onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); } } },
      s("rect", { x: column * b + 1.5, y: 18, width: column - 3, height: bottom - 12, rx: 5, fill: "currentColor",
        "fill-opacity": chosen ? 0.07 : 0, stroke: "currentColor", "stroke-opacity": chosen ? 0.7 : 0.15 }),
      s("text", { x, y: 31, "text-anchor": "middle", "font-weight": 700 }, title),
      s("rect", { x: x - (module.from * unit) / 2, y: top, width: module.from * unit, height: 8, fill: "var(--neutral)" }), parts);
    });

    const joined = (y, values, fill) => values.map((value, b) => s("rect", { y, height: bar, width: value * unit, "fill-opacity": b % 2 ? 0.75 : 1,
      x: 180 + unit * (sum(values.slice(0, b)) - sum(values) / 2), stroke: `var(${fill ? "--inception" : "--neutral"})`,
      "stroke-dasharray": fill ? null : "3 2", fill: fill ? "var(--inception)" : "none" }));
    const added = (name, words, values, y) => number(name, sum(values),
      `${words}: ${values.map(count).join(" + ")} = ${count(sum(values))} channels`, s, { x: 180, y, "text-anchor": "middle", "font-size": 11 });
    const others = other.map(({ layers }) => leaves(layers, module.from)), more = sum(others) !== total;
    const figure = picture(
      `Module of ${branches.length} branches that all read ${module.from} channels; concatenated they give ${outs.join(" + ")} = ${total} channels.`,
      end + (more ? 74 : 34), [
        number("in", module.from, `every branch reads all ${count(module.from)} channels of ${module.size}×${module.size}`, s,
          { x: 180, y: 11, "text-anchor": "middle" }),
        drawn, joined(end, outs, true), added("out", "concatenated", outs, end + 29),
        more ? [joined(end + 40, others, false), added("out.other", FORMS[state.against].name, others, end + 69)] : null,
      ]);
    return figure;
  }

  /** Two bars for each branch and for the sum: the module, and under it the other form. */
  function bars(rows, state, module) {
    const key = state.cost, left = 68, most = Math.max(...rows.flatMap((row) => [row.own[key], row.other[key]]));
    const length = (value) => Math.max(value > 0 ? 1 : 0, (value / most) * 182), measure = MEASURES[key];
    const drawn = rows.map(({ name, own, other }, i) => {
      const y = 40 + 36 * i + (name === "total" ? 6 : 0), weight = name === "total" ? 700 : 400, share = other[key] / own[key];
      const times = other[key] === 0 ? " (a pooling alone)" : share > 1.005 ? ` (× ${short(share)})`
        : share < 0.995 ? ` (÷ ${short(1 / share)})` : " (same)";
      const shown = (which, value, text, at) => number(`${which}.${key}.${name}`, value, text, s,
        { x: left + length(value) + 5, y: at, "font-weight": weight });
      return [
        s("text", { x: left - 6, y: y + 17, "text-anchor": "end", "font-weight": weight }, name),
        s("rect", { x: left, y, width: length(own[key]), height: 12, fill: "var(--inception)" }),
        s("rect", { x: left, y: y + 14, width: length(other[key]), height: 11, fill: "none", stroke: "var(--neutral)", "stroke-dasharray": "3 2" }),
        shown("own", own[key], short(own[key]), y + 10.5), shown("other", other[key], short(other[key]) + times, y + 24),
      ];
    });
    const total = rows.at(-1), other = FORMS[state.against].name;
    const figure = picture(`${measure.name}: ${short(total.own[key])}, ${other} ${short(total.other[key])}`, 40 + 36 * rows.length + 22, [
      s("text", { x: left, y: 11, "font-weight": 700 }, measure.name),
      s("rect", { x: left, y: 19, width: 20, height: 11, fill: "var(--inception)" }), s("text", { x: left + 25, y: 29 }, "the module"),
      s("rect", { x: left + 106, y: 19, width: 20, height: 11, fill: "none", stroke: "var(--neutral)", "stroke-dasharray": "3 2" }),
      s("text", { x: left + 131, y: 29 }, state.against === "naive" ? "naive form: no hollow 1×1" : "with whole kernels"), drawn,
      s("text", { x: 354, y: 40 + 36 * rows.length + 19, "text-anchor": "end", "font-size": 11 }, measure.counted(module)),
    ]);
    figure.setAttribute("preserveAspectRatio", "xMidYMin"); // beside a taller module
    return figure;
  }

  function sentence(module, rows, outs, { cost, against }) {
    const total = rows.at(-1), saved = ({ own, other }) => other[cost] - own[cost], ratio = total.other[cost] / total.own[cost];
    const most = rows.slice(0, -1).reduce((best, row) => (saved(row) > saved(best) ? row : best)), naive = against === "naive";
    return [
      `${module.name} reads ${count(module.from)} channels and hands on ${count(outs.own)}, for ${short(total.own[cost])} ${MEASURES[cost].name}. `,
      naive ? `Without its reductions and the 1×1 after the pool it would hand on ${count(outs.other)}, for ` : "With whole kernels it would take ",
      `${short(total.other[cost])}: `,
      ratio > 1.005 ? `${short(ratio)} times as many. Most is saved in the ${most.name} branch: ${short(most.own[cost])} instead of ${short(most.other[cost])}.`
        : cost === "activations" ? "every further convolution in a row writes a map of its own."
          : `at these widths the ${naive ? "reductions" : "factorised kernels"} save nothing.`,
    ];
  }

  const factorised = (module) => module.branches.some(({ layers }) => FORMS.whole.of(layers).length < layers.length);
  const named = (convs, { kernel, key }) => {
    const same = convs.filter((conv) => conv.kernel === kernel);
    return `${kernel} filters${same.length > 1 ? ` (${same.findIndex((conv) => conv.key === key) + 1})` : ""}`;
  };

  define("inception", {
    title: "Inception module",
    start: () => ({ module: "GoogLeNet 3a", branch: 2, cost: "macs", against: "naive",
      ...Object.assign({}, ...Object.values(MODULES).map(widths)) }),
    settle: (state) => (factorised(MODULES[state.module]) ? state : { ...state, against: "naive" }),
    controls(state) {
      const module = MODULES[state.module], convs = convsOf([module.branches[state.branch]]);
      return [
        { name: "module", label: "module", kind: "select", options: Object.keys(MODULES).map((name) => [name, name]) },
        { name: "cost", label: "cost", kind: "choice", options: Object.entries(MEASURES).map(([key, { name }]) => [key, name]) },
        ...(factorised(module) ? [{ name: "against", label: "compared with", kind: "choice",
          options: Object.entries(FORMS).map(([key, { name }]) => [key, name]) }] : []),
        { name: "branch", label: "branch to change (or tap it)", kind: "choice",
          options: module.branches.map(({ title }, b) => [b, title]) },
        ...convs.map((conv) => ({ name: conv.key, label: named(convs, conv), kind: "range", values: WIDTHS })),
      ];
    },
    draw(state, { set }) {
      const module = MODULES[state.module], branches = withWidths(module, state);
      const other = branches.map(({ title, layers }) => ({ title, layers: FORMS[state.against].of(layers) }));
      const rows = branches.map(({ title, layers }, b) =>
        ({ name: title, own: costs(layers, module), other: costs(other[b].layers, module) }));
      const added = (which) => Object.fromEntries(Object.keys(MEASURES).map((key) => [key, sum(rows.map((row) => row[which][key]))]));
      rows.push({ name: "total", own: added("own"), other: added("other") });
      const out = (all) => sum(all.map(({ layers }) => leaves(layers, module.from)));
      const original = widths(module), changed = Object.keys(original).some((key) => original[key] !== state[key]);
      const reset = (event) => { // its button goes, so the keyboard moves to the branch
        const figure = event.target.closest(".explorable");
        set(original);
        figure.querySelector(`[data-key="branch-${state.branch}"]`).focus();
      };
      return {
        figure: [drawing(module, branches, other, state, set), bars(rows, state, module),
          changed ? h("button", { type: "button", onclick: reset }, `Widths of ${module.name} as published`) : null],
        sentence: sentence(module, rows, { own: out(branches), other: out(other) }, state),
        table: table(["branch", ...Object.values(MEASURES).flatMap(({ name }) => [name, FORMS[state.against].name])],
          rows.map(({ name, own, other: form }) => [name, ...Object.keys(MEASURES).flatMap((key) =>
            [number(`own.${key}.${name}`, own[key], count(own[key])), number(`other.${key}.${name}`, form[key], count(form[key]))])]),
          `${module.name}. ${Object.values(MEASURES).map(({ name, counted }) => `${name}: ${counted(module)}`).join(". ")}.${
            module.normalised ? "" : " The 5×5 is the paper's; published weights have a 3×3 in its place."}`),
      };
    },
  });
})();
