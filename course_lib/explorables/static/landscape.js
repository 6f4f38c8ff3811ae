/* The landscape of networks: published error against a cost, and the front of those that no other one beats in both. */
(() => {
  "use strict";
  const { define, h, s, number, picture, scale, ticks, table, copyText } = window.courseExplorables;

  const COSTS = {
    macs: { name: "multiply-adds", unit: "G", size: 1e9, says: "G multiply-adds" },
    parameters: { name: "parameters", unit: "M", size: 1e6, says: "M parameters" },
    activations: { name: "activations", unit: "M", size: 1e6, says: "M activations" },
    memory: { name: "memory", unit: "MB", size: 1e6, says: "MB of memory" },
    latency: { name: "latency", long: "latency on one core", unit: "ms", size: 1, says: "ms on one core" },
  };
  // Errors on the axis, and how far apart two errors must be to be more than chance (chapter 10: twice the standard error).
  const SETS = { ImageNet: { limits: [17, 31], chance: 0.5 }, "CIFAR-10": { limits: [3, 9], chance: 0.7 } };
  const SHAPES = {
    plain: "M-4.5-4.5h9v9h-9z",
    residual: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    inception: "M0-6.5l6.5 6.5-6.5 6.5-6.5-6.5z",
    separable: "M-6-4h12l-6 10z",
    "squeeze-excitation": "M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
  };
  const KINDS = Object.keys(SHAPES), ABOVE = "M-6 4h12l-6-10z";
  const LEFT = 34, RIGHT = 352, TOP = 66, BOTTOM = 292;

  const tenth = (value) => Math.round(value * 10) / 10;
  const round = (one, cost) => Number((one[cost] / COSTS[cost].size).toPrecision(3));
  const percent = (value) => `${value.toFixed(2)} %`;
  const mark = (kind, x, y, { hollow = false, above = false, ...more } = {}) =>
    s("path", { d: above ? ABOVE : SHAPES[kind], transform: `translate(${tenth(x)} ${tenth(y)})`, "stroke-width": 1.8,
      stroke: `var(--${kind})`, fill: hollow ? "none" : `var(--${kind})`, ...more });
  const button = (key, label, pressed, act, more = {}) => ({ tabindex: 0, role: "button", "data-key": key, "aria-label": label,
    "aria-pressed": String(pressed), style: "cursor:pointer", onclick: (event) => { event.stopPropagation(); act(); },
    onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); act(); } }, ...more });

  /** Networks than which no other is both cheaper and better, cheapest first; other ways of measuring do not count. */
  function frontOf(networks, cost) {
    const found = [];
    for (const one of networks.filter(({ crops }) => crops === 1).sort((a, b) => a[cost] - b[cost] || a.top1 - b.top1))
      if (!found.length || one.top1 < found.at(-1).top1) found.push(one);
    return found;
  }
  const ofSet = (state, data) => data.networks.filter(({ images }) => images === state.images);
  const shownOf = (state, data) => ofSet(state, data).filter(({ kind, top1 }) => top1 !== null && !state.without.includes(kind));

  const TURNS = Array.from({ length: 11 }, (_, i) => 7.5 * (i + 1)).flatMap((turn) => [180 - turn, 180 + turn, turn, -turn]);
  const AROUND = [180, 0, ...TURNS].map((turn) => (turn * Math.PI) / 180).map((turn) => [Math.cos(turn), Math.sin(turn)]);
  const free = (box, others) => others.every(([a, b, c, d]) => box[0] >= c || box[2] <= a || box[1] >= d || box[3] <= b);
  const around = (x, y, by) => [x - by, y - by, x + by, y + by];
  /** Names near their points, on no other name, point or line: the nearest free place, with a line to it where it is far. */
  function placeNames(wanted, points, lines, tries = 8) {
    const names = [], ways = [], left = [];
    const placed = wanted.map((name) => {
      const { text, x, y } = name, wide = 6.4 * text.length, others = points.filter(([a, b]) => a !== x || b !== y);
      const full = [...points.map(([a, b]) => around(a, b, 6.5)), ...names, ...ways, ...lines];
      const crossed = [...others.map(([a, b]) => around(a, b, 4.5)), ...names];
      for (let far = 9; far < 240; far += 5)
        for (const [dx, dy] of AROUND) {
          const from = x + dx * far, middle = y + dy * far, start = dx < 0 ? from - wide : from;
          const box = [start, middle - 6, start + wide, middle + 6];
          if (start < LEFT + 2 || start + wide > RIGHT + 8 || middle < TOP - 2 || middle > BOTTOM - 7) continue;
          if (!free(box, full) || (far > 12 && Math.abs(dy) < 0.2)) continue; // a level line would run along the front
          const steps = far < 12 ? [] : Array.from({ length: Math.ceil(far / 3) - 3 }, (_, i) => 8 + 3 * i);
          const way = steps.map((step) => around(x + dx * step, y + dy * step, 1));
          if (!way.every((dot) => free(dot, crossed))) continue;
          names.push(box);
          ways.push(...way.filter((_, i) => i % 3 === 0)); // no name is as low as the gaps
          return { text, x: from, y: middle + 4, anchor: dx < 0 ? "end" : "start",
            line: steps.length ? `M${tenth(x + dx * 8)} ${tenth(y + dy * 8)}L${tenth(from - dx)} ${tenth(middle - dy)}` : null };
        }
      left.push(name);
      return null;
    });
    if (!left.length || !tries) return placed.filter(Boolean);
    return placeNames([...left, ...wanted.filter((name) => !left.includes(name))], points, lines, tries - 1); // these come first
  }

  const known = new Map(); // finding places takes a while: not again for every network that is pointed at
  function remembered(wanted, points, lines) {
    const key = JSON.stringify([wanted, points]);
    if (!known.has(key)) known.set(key, placeNames(wanted, points, lines));
    return known.get(key);
  }

  function map(state, { data, set }) {
    const { limits: [low, high] } = SETS[state.images], cost = COSTS[state.cost];
    const every = shownOf({ ...state, without: [] }, data), shown = shownOf(state, data);
    const values = every.map((one) => one[state.cost] / cost.size), least = Math.min(...values), most = Math.max(...values);
    const across = state.log ? scale(least, most, LEFT + 14, RIGHT - 12, true) : scale(0, most, LEFT, RIGHT - 12);
    const height = scale(low, high, BOTTOM, TOP);
    const x = (one) => tenth(across(one[state.cost] / cost.size)), y = (one) => tenth(height(Math.min(one.top1, high)));
    const front = frontOf(shown, state.cost), chosen = shown.find(({ name }) => name === state.chosen);
    const stairs = (steps) => steps.map((one, i) => (i ? `H${x(one)}V${y(one)}` : `M${x(one)} ${y(one)}`)).join("");
    const lines = front.slice(1).flatMap((one, i) => {
      const level = y(front[i]);
      return [[x(front[i]), level - 1, x(one), level + 1], [x(one) - 1, level, x(one) + 1, y(one)]];
    });
    const above = ({ top1 }) => top1 > high;
    const wanted = shown.filter((one) => front.includes(one) || above(one)).sort((a, b) => a.top1 - b.top1).map((one) =>
      ({ x: x(one), y: y(one), text: above(one) ? `${one.name} ${one.top1.toFixed(1)} %` : one.name }));

    const choose = (one) => { if (one && one.name !== state.chosen) set({ chosen: one.name }); };
    const nearest = (event) => { // a finger need not hit the point
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(event.currentTarget.getScreenCTM().inverse());
      const far = (one) => Math.hypot(x(one) - at.x, y(one) - at.y);
      return shown.filter((one) => far(one) < 22).sort((a, b) => far(a) - far(b))[0];
    };
    const points = [...shown].sort((a, b) => a[state.cost] - b[state.cost]).map((one) => {
      const says = `${one.name}: ${percent(one.top1)}${one.crops > 1 ? ` (${one.crops} crops)` : ""}, ` +
        `${round(one, state.cost)} ${cost.says}${front.includes(one) ? ", on the front" : ""}`;
      const keyboard = { onkeyup: (event) => { if (event.key === "Tab") choose(one); } };
      return s("g", button(`point ${one.name}`, says, one === chosen, () => choose(one), keyboard),
        s("title", {}, says), mark(one.kind, x(one), y(one), { hollow: one.crops > 1, above: above(one) }));
    });
    const kinds = KINDS.filter((kind) => every.some((one) => one.kind === kind)), wide = (kind) => 32 + 6.9 * kind.length;
    const legend = kinds.map((kind, i) => {
      const on = !state.without.includes(kind), top = i < 3 ? 336 : 364;
      const place = kinds.slice(i < 3 ? 0 : 3, i).reduce((sum, one) => sum + wide(one) + 5, 1);
      const act = () => set({ without: on ? [...state.without, kind] : state.without.filter((one) => one !== kind) });
      return s("g", button(`kind ${kind}`, `show ${kind}`, on, act),
        s("rect", { x: place, y: top, width: wide(kind), height: 24, rx: 4, "pointer-events": "all", class: "axis",
          "stroke-opacity": 0.5, "stroke-dasharray": on ? null : "3 3" }),
        mark(kind, place + 13, top + 12, { hollow: !on }),
        s("text", { x: place + 25, y: top + 16, "text-decoration": on ? null : "line-through" }, kind));
    });
    const drawing = picture(`${shown.length} networks, top-1 error against ${cost.name}`, 392, [
      chosen ? [
        s("text", { x: 4, y: 13, "font-weight": 700 }, chosen.name, chosen.crops > 1 ? ` (${chosen.crops} crops)` : ""),
        number("chosen.top1", chosen.top1, `${percent(chosen.top1)} top-1 error`, s, { x: 4, y: 30 }),
        number("chosen.cost", chosen[state.cost], `${round(chosen, state.cost)} ${cost.says}`, s, { x: 150, y: 30 }),
      ] : null,
      s("text", { x: 4, y: TOP - 16 }, "top-1 error (%)"),
      ticks(low, high).map((tick) => [
        s("path", { class: "grid", d: `M${LEFT} ${tenth(height(tick))}H${RIGHT}` }),
        s("text", { x: LEFT - 5, y: height(tick) + 4, "text-anchor": "end" }, String(tick)),
      ]),
      s("path", { class: "axis", d: `M${LEFT} ${TOP - 8}V${BOTTOM}H${RIGHT}` }),
      ticks(state.log ? least : 0, most, state.log).map((tick) => [
        s("path", { class: "axis", d: `M${tenth(across(tick))} ${BOTTOM}v5` }),
        s("text", { x: across(tick), y: BOTTOM + 18, "text-anchor": "middle" }, String(tick)),
      ]),
      s("text", { x: (LEFT + RIGHT) / 2, y: BOTTOM + 35, "text-anchor": "middle" }, `${cost.long ?? cost.name} (${cost.unit})`),
      shown.length < every.length // where the front was with all
        ? s("path", { class: "axis", "stroke-opacity": 0.25, d: stairs(frontOf(every, state.cost)) }) : null,
      s("path", { class: "axis", "stroke-opacity": 0.7, "stroke-dasharray": "4 3", d: stairs(front) }),
      remembered(wanted, shown.map((one) => [x(one), y(one)]), lines).map(({ text, anchor, line, ...place }) => [
        s("text", { ...place, "font-size": 11, "text-anchor": anchor }, text),
        line ? s("path", { class: "axis", "stroke-opacity": 0.5, d: line }) : null,
      ]),
      s("g", { onclick: (event) => choose(nearest(event)),
        onpointermove: (event) => event.pointerType === "mouse" && choose(nearest(event)) },
        s("rect", { x: 20, y: TOP - 12, width: 340, height: BOTTOM - TOP + 14, fill: "none", "pointer-events": "all" }),
        points),
      chosen ? s("circle", { class: "axis", "stroke-width": 2, "pointer-events": "none", cx: x(chosen), cy: y(chosen), r: 9.5 })
        : null,
      legend,
      every.some(({ crops }) => crops > 1) ? s("text", { x: 266, y: 380, "font-size": 11 }, "hollow: 10 crops") : null,
    ]);
    return drawing;
  }

  /** All costs of the chosen network among those of the others. */
  function costs(state, { data }) {
    const shown = shownOf(state, data), chosen = shown.find(({ name }) => name === state.chosen);
    if (!chosen) return null;
    const notes = [""];
    for (const word of `error: ${chosen.source}; images of ${chosen.size}×${chosen.size} pixels`.split(" "))
      if (`${notes.at(-1)} ${word}`.length > 54) notes.push(word);
      else notes.push(`${notes.pop()} ${word}`.trim());
    const all = Object.entries(COSTS).map(([key, { says }]) => `${round(chosen, key)} ${says}`).join(", ");
    const drawing = picture(`What ${chosen.name} costs: ${all}`, 326, [
      s("text", { x: 4, y: 14, "font-weight": 700 }, `${chosen.name} among the ${shown.length} shown`),
      Object.entries(COSTS).map(([key, cost], i) => {
        const values = shown.map((one) => one[key]), low = Math.min(...values), high = Math.max(...values);
        const top = 34 + 48 * i, bold = { "font-weight": key === state.cost ? 700 : null };
        const place = (value) => (low < high ? tenth(scale(low, high, 8, 352, true)(value)) : 180);
        return [
          s("text", { x: 4, y: top + 12, ...bold }, cost.name),
          number(`chosen.${key}`, chosen[key], `${round(chosen, key)} ${cost.unit}`, s,
            { x: 356, y: top + 12, "text-anchor": "end", ...bold }),
          s("path", { class: "grid", d: `M4 ${top + 26}H356` }),
          s("path", { class: "axis", "stroke-opacity": 0.5, d: values.map((one) => `M${place(one)} ${top + 21}v10`).join("") }),
          mark(chosen.kind, place(chosen[key]), top + 26, { hollow: chosen.crops > 1 }),
        ];
      }),
      s("text", { x: 4, y: 274, "font-size": 11 }, "least"),
      s("text", { x: 356, y: 274, "font-size": 11, "text-anchor": "end" }, "most"),
      notes.map((note, i) => s("text", { x: 4, y: 300 + 16 * i, "font-size": 11 }, note)),
    ]);
    drawing.setAttribute("preserveAspectRatio", "xMidYMin");
    return drawing;
  }

  function sentence(state, data) {
    const shown = shownOf(state, data), chosen = shown.find(({ name }) => name === state.chosen), { chance } = SETS[state.images];
    if (!chosen) return "No kind of network is shown.";
    const front = frontOf(shown, state.cost), { name, unit } = COSTS[state.cost];
    const says = (one) => `${percent(one.top1)} for ${round(one, state.cost)} ${unit}`;
    const counted = shown.filter(({ crops }) => crops === 1).length;
    const about = `${front.length} of the ${counted} networks measured with one crop are on the front for ${name}: no other is both cheaper and better. `;
    if (chosen.crops > 1) return `${about}${chosen.name} does not count: its error comes from ten crops, which give a lower one.`;
    if (front.includes(chosen)) return `${about}${chosen.name} is one of them, with ${says(chosen)}.`;
    const cheapest = front.find(({ top1 }) => top1 <= chosen.top1);
    const best = front.filter((one) => one[state.cost] <= chosen[state.cost]).at(-1);
    const close = chosen.top1 - best.top1 < chance ? ` Less than ${chance} points of error apart can be chance.` : "";
    return `${about}${chosen.name}, with ${says(chosen)}, is not: ${cheapest.name} has ${says(cheapest)}` +
      `${best === cheapest ? "" : `, ${best.name} has ${says(best)}`}.${close}`;
  }

  const COLUMNS = [
    ["name", "network"], ["top1", "top-1 (%)"], ["top5", "top-5 (%)"],
    ...Object.entries(COSTS).map(([key, { name, unit }]) => [key, `${name} (${unit})`]),
    ["kind", "kind"], ["size", "image (px)"], ["source", "error from"],
  ];
  /** All networks of the kinds shown, those without a published error too. */
  function numbers(state, { data, set }) {
    const { by, down } = state.sort, front = frontOf(shownOf(state, data), state.cost);
    const order = (a, b) => (a[by] === b[by] ? 0 : !a[by] ? 1 : !b[by] ? -1 : a[by] < b[by] !== down ? -1 : 1); // empty: last
    const rows = ofSet(state, data).filter(({ kind }) => !state.without.includes(kind)).sort(order);
    const heads = COLUMNS.map(([key, label]) => h("button", { type: "button", "data-key": `sort ${key}`,
      onclick: () => set({ sort: { by: key, down: by === key && !down } }) }, label, by === key ? (down ? " ▼" : " ▲") : ""));
    const cell = (one, key) => {
      if (key === "name") return front.includes(one) ? `${one.name} ●` : one.name;
      if (!one[key] || key === "size" || typeof one[key] === "string") return String(one[key] || "–");
      return number(`${one.name}.${key}`, one[key], COSTS[key] ? String(round(one, key)) : one[key].toFixed(2));
    };
    const made = table(heads, rows.map((one) => COLUMNS.map(([key]) => cell(one, key))));
    made.querySelectorAll("thead th").forEach((head, i) => {
      if (COLUMNS[i][0] === by) head.setAttribute("aria-sort", down ? "descending" : "ascending");
    });
    const exact = (one) => COLUMNS.map(([key]) => (COSTS[key] ? one[key] / COSTS[key].size : one[key] ?? ""));
    const text = [COLUMNS.map(([, label]) => label), ...rows.map(exact)].map((row) => row.join("\t")).join("\n");
    const copy = h("button", { type: "button", "data-key": "copy", onclick: () => copyText(text, copy, made) }, "Copy the table");
    const note = `●: on the front for ${COSTS[state.cost].name}. –: not published. Memory and latency: one image, one core.`;
    return h("div", {}, copy, h("p", {}, h("small", {}, note)), made);
  }

  define("landscape", {
    title: "Landscape of networks",
    start: () => ({ cost: "macs", log: true, images: "ImageNet", without: [], chosen: "vgg-16",
      sort: { by: "macs", down: false } }),
    settle(state, data) {
      const shown = shownOf(state, data);
      if (shown.some(({ name }) => name === state.chosen)) return state;
      return { ...state, chosen: frontOf(shown, state.cost).at(-1)?.name };
    },
    controls: () => [
      { name: "cost", label: "cost", kind: "choice", options: Object.entries(COSTS).map(([key, { name }]) => [key, name]) },
      { name: "images", label: "error on", kind: "select", options: Object.keys(SETS).map((name) => [name, name]) },
      { name: "log", label: "logarithmic axis", kind: "switch" },
    ],
    draw: (state, api) =>
      ({ figure: [map(state, api), costs(state, api)], sentence: sentence(state, api.data), table: numbers(state, api) }),
  });
})();
