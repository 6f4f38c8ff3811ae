/* Squeeze and excitation: the last block of a trained network, whose gates the reader sets; the class scores follow. */
(() => {
  "use strict";
  const { define, h, s, count, number, picture, scale, ticks, table } = window.courseExplorables;

  const CLASSES = 10, CHANNELS = 64, PLACES = 4, COLUMNS = 8, FULL = 3; // maps of 2×2
  const GATES = { own: "its own gates", ones: "all gates 1", mean: "mean gates" };
  const range = (length) => Array.from({ length }, (_, i) => i);
  const fixed = (value, digits = 2) => value.toFixed(digits).replace("-", "−");
  const best = (values) => values.indexOf(Math.max(...values));

  function unpacked({ scale: unit, base64 }) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    return Array.from(new Int16Array(bytes.buffer), (whole) => whole * unit);
  }
  const opened = new WeakMap();
  /** A network of the data with its tensors as lists of numbers. */
  function open(network) {
    if (!opened.has(network)) {
      const tensors = ["branch", "shortcut", "gates", "mean_gates", "weight", "bias"];
      opened.set(network, { ...network, ...Object.fromEntries(tensors.map((name) => [name, network[name] && unpacked(network[name])])) });
    }
    return opened.get(network);
  }
  const chosen = (state, data) => open(data.networks.find(({ reduction }) => reduction === state.reduction));
  const part = (values, i, size) => values.slice(i * size, (i + 1) * size);

  /** The gates of the last block, before the reader sets single ones. */
  function given(net, image, kind) {
    if (!net.gates || kind === "ones") return Array(CHANNELS).fill(1);
    return kind === "mean" ? net.mean_gates : part(net.gates, image, CHANNELS);
  }
  const key = ({ reduction, gates }, channel) => `${reduction} ${gates} ${channel}`;
  /** What the slider of a gate stands on: a number that brings all gates along that the reader has set. */
  const setting = (all, value) => ({ all, valueOf: () => value });

  const branchOf = (net, image, channel) => part(net.branch, image * CHANNELS + channel, PLACES);
  /** Option A: the shortcut has half the channels, the others are zero. */
  const shortcutOf = (net, image, channel) =>
    channel < CHANNELS / 2 ? part(net.shortcut, (image * CHANNELS) / 2 + channel, PLACES) : Array(PLACES).fill(0);
  /** relu(shortcut + gate · branch), its mean. */
  function pooled(net, image, channel, gate) {
    const shortcut = shortcutOf(net, image, channel);
    return branchOf(net, image, channel).reduce((sum, value, i) => sum + Math.max(0, shortcut[i] + gate * value), 0) / PLACES;
  }
  const dense = (net, means) =>
    range(CLASSES).map((k) => means.reduce((sum, mean, channel) => sum + net.weight[k * CHANNELS + channel] * mean, net.bias[k]));
  const scored = (net, image, gates) => dense(net, gates.map((gate, channel) => pooled(net, image, channel, gate)));

  /** Channels whose gate, closed alone, changes the answer. */
  function deciding(net, image, gates) {
    const means = gates.map((gate, channel) => pooled(net, image, channel, gate)), answer = best(dense(net, means));
    return range(CHANNELS).filter((channel) =>
      gates[channel] > 0 && best(dense(net, means.map((mean, c) => (c === channel ? pooled(net, image, c, 0) : mean)))) !== answer);
  }

  function errors(data, net, kind) {
    const values = net.wrong[kind].map((wrong) => (100 * wrong) / data.test_images);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
    return { mean, std, text: `${fixed(mean, 1)} ± ${fixed(std, 1)}` };
  }

  const at = (x, y, text, more = {}) => s("text", { x, y, ...more }, text);
  const bold = { "font-weight": 700 }, middle = { "text-anchor": "middle" }, end = { "text-anchor": "end" }, small = { "font-size": 11 };
  const tenth = (value) => Math.round(value * 10) / 10;
  const box = (x, y, width, height = width) => `M${tenth(x)} ${tenth(y)}h${tenth(width)}v${tenth(height)}h${-tenth(width)}z`;
  const colourOf = (net) => `var(${net.gates ? "--squeeze-excitation" : "--residual"})`;
  const nameOf = ({ reduction }) => (reduction ? `r = ${reduction}` : "no gate");
  const dashes = { fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-dasharray": "3 2" };
  const pressing = (act) => (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    act(event);
  };

  function digit({ pixels, label }, x, y, size) {
    const inks = [...pixels].map((letter) => letter.charCodeAt(0) - 97), side = size / 8;
    const cell = (i) => box(x + (i % 8) * side, y + Math.floor(i / 8) * side, side);
    const ofInk = (ink) => inks.map((one, i) => (one === ink ? cell(i) : "")).join("");
    return [
      range(17).slice(1).filter((ink) => inks.includes(ink)).map((ink) => s("path", { d: ofInk(ink), "fill-opacity": `${ink / 16}` })),
      s("rect", { x, y, width: size, height: size, class: "axis", "stroke-opacity": 0.4 }),
      at(x, y + size + 17, `test image: a ${label}`, small),
    ];
  }

  const centred = { ...middle, "font-size": 10.5 };
  /** Four values, as numbers in a box. */
  const values = (four, x, y, heading) => [
    at(x + 36, y - 5, heading, centred),
    s("rect", { x, y, width: 73, height: 38, class: "axis", "stroke-opacity": 0.4 }),
    four.map((value, i) => at(x + 35 + 35 * (i % 2), y + 15 + 17 * Math.floor(i / 2), fixed(value), { ...end, "font-size": 10.5 })),
  ];

  /** Image and class scores; below them what becomes of the chosen channel. */
  function scores(state, image, net, { now, other, names, changed, reset }) {
    const answer = best(now), otherwise = other && best(other);
    const across = scale(-5.5, 9, 122, 276), zero = across(0), inside = (value) => across(Math.max(-5.5, Math.min(9, value)));
    const rows = now.map((score, k) => {
      const y = 24 + 23 * k, weight = k === answer ? bold : {};
      return [
        at(114, y + 13, `${k}`, { ...end, ...weight }),
        s("rect", { x: Math.min(zero, inside(score)), y, width: Math.max(1, Math.abs(inside(score) - zero)), height: 16,
          fill: colourOf(net) }),
        other && s("path", { d: `M${tenth(inside(other[k]))} ${y - 2}v20`, ...dashes }),
        number(`score.${k}`, score, fixed(score), s, { x: 312, y: y + 13, ...end, ...weight }),
        k === otherwise && k !== answer && s("path", { d: `M320 ${y}v16`, ...dashes }),
        at(325, y + 13, k === answer || k === otherwise ? "answer" : k === image.label ? "label" : "", { "font-size": 10.5 }),
      ];
    });
    const legend = [
      s("rect", { x: 0, y: 144, width: 12, height: 10, fill: colourOf(net) }), at(17, 153, names[0], small),
      other && [s("path", { d: "M6 160v18", ...dashes }), at(17, 173, names[1], small)],
    ];
    const { channel } = state, gate = net.now[channel], branch = branchOf(net, state.image, channel), y = 308;
    const mean = pooled(net, state.image, channel, gate);
    const strip = [
      at(0, 280, `channel ${channel + 1} of ${CHANNELS}`, bold),
      values(branch, 0, y, "branch"), at(80, y + 23, "×", middle),
      at(102, y - 5, net.gates ? "gate" : "no gate", centred),
      number("gate", gate, fixed(gate), s, { x: 102, y: y + 23, ...middle, ...bold }),
      at(124, y + 23, "=", middle), values(branch.map((value) => gate * value), 131, y, "scaled"), at(212, y + 23, "+", middle),
      values(shortcutOf(net, state.image, channel), 220, y, "shortcut"), at(302, y + 23, "→", middle),
      at(328, y - 5, "ReLU, mean", centred), number("mean", mean, fixed(mean), s, { x: 330, y: y + 23, ...middle, ...bold }),
    ];
    const back = changed.length > 0 && [
      s("rect", { x: 262, y: 262, width: 96, height: 27, rx: 5, class: "axis", "pointer-events": "all", cursor: "pointer",
        tabindex: 0, role: "button", "data-key": "back", "aria-label": "put back all gates that you have set",
        onclick: reset, onkeydown: pressing(reset) }),
      at(310, 280, "put all back", { ...middle, ...small, "pointer-events": "none" }),
    ];
    const label = `Class scores: ${now.map((score, k) => `${k}: ${fixed(score)}`).join(", ")}. ` +
      `Channel ${channel + 1}: gate ${fixed(gate)}, mean after the addition ${fixed(mean)}.`;
    return picture(label, 352, [at(122, 14, "class scores", bold), digit(image, 0, 24, 80), legend, rows, strip, back]);
  }

  /** All channels of the last block: maps before and after the gate, and the gate as a bar. */
  function channels(state, net, set, close, still) {
    const corner = (channel) => [(channel % COLUMNS) * 45, 50 + Math.floor(channel / COLUMNS) * 38];
    const join = (draw) => range(CHANNELS).map((channel) => draw(channel, ...corner(channel))).join("");
    /** Squares of one sign in all maps; the area is the value, a negative one is hollow. */
    const squares = (shift, sign, factor) => join((channel, x, y) =>
      branchOf(net, state.image, channel).map((value, i) => {
        const side = 8 * Math.sqrt(Math.min(1, (sign * value * factor(channel)) / FULL)), drawn = sign < 0 ? side - 0.8 : side;
        const off = (8.5 - drawn) / 2;
        return drawn > 0 ? box(x + shift + 8.5 * (i % 2) + off, y + 3 + 8.5 * Math.floor(i / 2) + off, drawn) : "";
      }).join(""));
    const maps = (shift, colour, factor) => [
      s("path", { d: squares(shift, 1, factor), fill: colour }),
      s("path", { d: squares(shift, -1, factor), fill: "none", stroke: colour, "stroke-width": 0.8 }),
    ];
    const bars = (width) => join((channel, x, y) => box(x + 3, y + 26, width(channel), 5));
    const tile = (channel) => box(...corner(channel), 42, 35);
    const outline = (list, attributes) => s("path", { d: list.map(tile).join(""), fill: "none", stroke: "currentColor", ...attributes });
    const dashed = { "stroke-dasharray": "4 3" };
    const turning = deciding(net, state.image, net.now), turns = net.gates ? turning : [];

    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -COLUMNS, ArrowDown: COLUMNS };
    function walk(event) {
      if (!step[event.key]) return pressing(close)(event);
      event.preventDefault();
      set({ channel: (state.channel + step[event.key] + CHANNELS) % CHANNELS });
    }
    const tiles = range(CHANNELS).map((channel) => {
      const [x, y] = corner(channel), here = channel === state.channel;
      return s("rect", { x: x - 1.5, y: y - 1.5, width: 45, height: 38, onclick: () => (here ? close() : set({ channel })),
        ...(here && { tabindex: 0, role: "button", "data-key": "channel", onkeydown: walk,
          "aria-label": `channel ${channel + 1}, gate ${fixed(net.now[channel])}: press to close or open, arrow keys choose another` }) });
    });
    const closing = turns.length === 0 ? "Closing a single gate never changes the answer."
      : `Closing one of these gates changes the answer: ${turns.map((channel) => channel + 1).join(", ")}.`;
    const hint = turns.length === 0 ? "closing a single gate never changes the answer"
      : `dashed: closing this gate changes the answer${still ? "" : " (press it twice)"}`;
    return picture(`The ${CHANNELS} channels of the last block, maps of 2 by 2. ${net.gates ? closing : "No gates."}`, 352, [
      at(0, 14, net.gates ? "each channel: before → after, gate" : "each channel: no gate, as it is", bold),
      at(0, 29, `filled: positive, hollow: negative, full size from ${FULL} on`, small),
      net.gates && at(0, 43, hint, small),
      outline(range(CHANNELS), { "stroke-opacity": 0.3 }),
      maps(3, "var(--neutral)", () => 1),
      maps(22, colourOf(net), (channel) => net.now[channel]),
      net.gates && [s("path", { d: bars(() => 36), class: "axis", "stroke-opacity": 0.4 }),
        s("path", { d: bars((channel) => 36 * net.now[channel]), fill: colourOf(net) })],
      outline(turns.filter((channel) => channel !== state.channel), { ...dashed, "stroke-width": 1.8 }),
      outline([state.channel], { ...(turns.includes(state.channel) && dashed), "stroke-width": 3 }),
      s("g", { "fill-opacity": 0, cursor: "pointer" }, tiles),
    ]);
  }

  const MARKS = { own: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z", ones: "M-3.5-3.5h7v7h-7z", mean: "M0-5l5 5-5 5-5-5z" };
  const mark = (kind, x, y, colour) => s("path", { d: MARKS[kind], transform: `translate(${tenth(x)} ${y})`,
    stroke: colour, "stroke-width": 1.5, fill: kind === "own" ? colour : "none" });

  /** The gate parameters of all networks, and their errors over the seeds, with the gates of the last block replaced. */
  function ratios(state, data) {
    const across = scale(0, 5, 104, 270), bottom = 221;
    const rows = data.networks.map((net, i) => {
      const y = net.gates ? 64 + 33 * i : 70, centre = net.gates ? y + 9 : y, own = errors(data, net, "own");
      const here = net.reduction === state.reduction, weight = here ? bold : {}, half = net.gates ? 16 : 11;
      return [
        here && s("rect", { x: 0, y: centre - half, width: 360, height: 2 * half, "fill-opacity": 0.1 }),
        at(4, centre + 4, nameOf(net), weight),
        number(`parameters.${net.reduction}`, net.gate_parameters, count(net.gate_parameters), s,
          { x: 94, y: centre + 4, ...end, ...weight }),
        Object.keys(GATES).slice(0, net.gates ? 3 : 1).map((kind, j) => {
          const { mean, std } = errors(data, net, kind), line = y + 9 * j;
          const spread = `M${tenth(across(mean - std))} ${line}H${tenth(across(mean + std))}`;
          return [s("path", { d: spread, stroke: colourOf(net), "stroke-width": 1.5 }), mark(kind, across(mean), line, colourOf(net))];
        }),
        mark("own", 285, centre, colourOf(net)),
        number(`error.${net.reduction}`, own.mean, own.text, s, { x: 358, y: centre + 4, ...end, ...weight }),
      ];
    });
    const label = data.networks.map((net) => `${nameOf(net)}: ${count(net.gate_parameters)}, ${errors(data, net, "own").text} %`).join("; ");
    return picture(`Gate parameters and test error: ${label}`, 242, [
      at(0, 14, "gate parameters; test error (%)", bold),
      at(0, 30, `${data.test_images} test images, mean ± std of n = ${data.training.seeds} seeds; last block with`, small),
      Object.entries(GATES).map(([kind, name], i) => [mark(kind, 6 + 101 * i, 43, "currentColor"), at(16 + 101 * i, 47, name, small)]),
      ticks(0, 5).map((tick) => [s("path", { class: "grid", d: `M${tenth(across(tick))} 57V${bottom}` }),
        at(across(tick), bottom + 14, `${tick}`, { ...middle, ...small })]),
      rows,
    ]);
  }

  function numbers(state, data, net, { now, other, names }) {
    const scoreRows = now.map((score, k) => [`${k}`, fixed(score), ...(other ? [fixed(other[k])] : [])]);
    const kinds = Object.keys(GATES);
    const networkRows = data.networks.map((one) => [nameOf(one), count(one.gate_parameters), count(one.parameters),
      ...kinds.map((kind) => (one.gates || kind === "own" ? errors(data, one, kind).text : "–"))]);
    const channelRows = net.now.map((gate, channel) =>
      [`${channel + 1}`, net.gates ? fixed(gate) : "–", ...[1, gate].map((g) => fixed(pooled(net, state.image, channel, g)))]);
    return h("div", {},
      table(["class", names[0], ...(other ? [names[1]] : [])], scoreRows, "Class scores"),
      table(["network", "gate parameters", "all parameters", ...Object.values(GATES)], networkRows,
        "Test error (%) by the gates of the last block"),
      table(["channel", "gate", "mean, gate 1", "mean, this gate"], channelRows, "Means of the channels after addition and ReLU"));
  }

  const WITH = { own: "its own gates", ones: "all gates of the last block at 1", mean: "the mean gates of the training images" };
  function says(state, data, net, { now, other, beside, changed }) {
    const answer = best(now), name = nameOf(net).replaceAll(" ", "\u00a0"), { label } = data.images[state.image];
    const [one] = changed, how = changed.length > 1 ? `${changed.length} gates as you set them`
      : changed.length === 1 ? `the gate of channel ${one + 1} at ${fixed(net.now[one])}` : WITH[state.gates];
    const first = `the network (${name}) gives ${answer} the highest score, ${fixed(now[answer])}; the image is a ${label}. `;
    if (!other) return `Here ${first}The branch is added to the shortcut as it is. No network with gates has a lower mean error here.`;
    const [own, ones] = ["own", "ones"].map((kind) => best(scored(net, state.image, given(net, state.image, kind))));
    return `With ${how} ${first}With ${WITH[beside]} the answer is ${best(other) === answer ? "the same" : best(other)}. ` +
      `Of all ${data.test_images} test images all gates at 1 change ${net.changed} answers${own === ones ? "" : ", this one among them"}: ` +
      "the gates move the scores of every image and the answers of few.";
  }

  function settle(wish, data) {
    const net = chosen(wish, data), all = wish.gate?.all ?? {}, state = { ...wish, gates: net.gates ? wish.gates : "own" };
    return { ...state, gate: setting(all, all[key(state, wish.channel)] ?? given(net, wish.image, state.gates)[wish.channel]) };
  }

  define("excite", {
    title: "The gates of squeeze and excitation",
    start: (data) => settle({ reduction: 4, image: 6, gates: "own", channel: 21, gate: null }, data),
    settle,
    controls(state, data) {
      const net = chosen(state, data), base = given(net, state.image, state.gates)[state.channel];
      const steps = range(21).map((i) => i / 20).filter((value) => Math.abs(value - base) > 0.02);
      const gates = [...steps, base].sort((a, b) => a - b).map((value) =>
        setting({ ...state.gate.all, [key(state, state.channel)]: value === base ? undefined : value }, value));
      return [
        { name: "reduction", label: "reduction", kind: "range", values: data.networks.map(({ reduction }) => reduction),
          show: (r) => (r ? `r = ${r}` : "no gate") },
        { name: "image", label: "image of a", kind: "range", values: range(data.images.length), show: (i) => `${data.images[i].label}` },
        net.gates && { name: "gates", label: "the last block with", kind: "choice", options: Object.entries(GATES) },
        { name: "channel", label: "channel", kind: "range", values: range(CHANNELS), show: (channel) => `${channel + 1}` },
        net.gates && { name: "gate", label: "its gate", kind: "range", values: gates, show: (gate) => fixed(Number(gate)) },
      ].filter(Boolean);
    },
    draw(state, { data, set, still }) {
      const { image, channel } = state, { all } = state.gate, network = chosen(state, data), base = given(network, image, state.gates);
      const changed = range(CHANNELS).filter((one) => all[key(state, one)] !== undefined);
      const net = { ...network, now: base.map((gate, one) => all[key(state, one)] ?? gate) };
      const plain = changed.length === 0 && state.gates === "own", beside = plain ? "ones" : "own";
      const close = () => {
        const shut = net.now[channel] === 0;
        if (net.gates) set({ gate: setting({ ...all, [key(state, channel)]: shut ? undefined : 0 }, shut ? base[channel] : 0) });
      };
      const reset = (event) => {
        event.currentTarget.closest(".explorable").querySelector('[data-key="channel"]').focus();
        set({ gate: null });
      };
      const found = { now: scored(net, image, net.now), other: net.gates && scored(net, image, given(net, image, beside)), changed, reset,
        beside, names: [!net.gates ? "no gates" : changed.length ? "as you set" : GATES[state.gates], GATES[beside]] };
      return {
        figure: [scores(state, data.images[image], net, found), channels(state, net, set, close, still), ratios(state, data)],
        sentence: says(state, data, net, found),
        table: numbers(state, data, net, found),
      };
    },
  });
})();
