/* Architecture browser: a network as boxes and as a tree to unfold, from stages to blocks to layers, and what each part costs. */
(() => {
  "use strict";
  const { define, h, s, count, short, number, picture, table } = window.courseExplorables;

  const COSTS = { parameters: "parameters", macs: "multiply-adds", activations: "activations" };
  const DEPTHS = ["stages", "blocks", "layers"];
  const UNCALLED = ", not called", HOLDER = /^(Sequential|ModuleList|ModuleDict)(?!\w)/;
  const ALIKE = 6; // more equal blocks than these in a row share a line
  const zero = () => ({ parameters: 0, macs: 0, activations: 0 });
  const sum = (parts, start = zero()) => {
    for (const part of parts) for (const what of Object.keys(COSTS)) start[what] += part.costs[what];
    return start;
  };

  /** What the browser shows: the networks of the element itself (`browse`), or those of the course. */
  const networksOf = (data) => (data.parts ? data : window.courseExplorableData.architecture);
  const trees = new Map();
  /** The tree of one network, from the form that `Packed` in course_lib/explorables/architecture.py writes. */
  function unpack(data, name) {
    const { kinds, shapes, parts, networks } = networksOf(data);
    const known = trees.get(parts) ?? trees.set(parts, new Map()).get(parts);
    const build = (id, path, before) => {
      const [kind, shape, parameters, macs, activations, growth, children = [], names] = parts[id];
      const field = growth === 0 ? before : growth && [0, 1].map((i) => (before?.[i] ?? 0) + (growth[i] ?? growth));
      const itself = { parameters, macs, activations };
      const node = { id, path, kind: kinds[kind], shape: shapes[shape], field, itself, children: [] };
      let inside = path ? before : null;
      for (const child of children.flatMap((one) => (Array.isArray(one) ? Array(one[1]).fill(one[0]) : [one]))) {
        const own = `${names?.[node.children.length] ?? node.children.length}`;
        node.children.push({ ...build(child, path ? `${path}.${own}` : own, inside), name: own });
        if (!path || node.kind === "Sequential") inside = node.children.at(-1).field;
      }
      const leaves = node.children.reduce((n, one) => n + one.leaves, 0) || 1;
      return { ...node, costs: sum(node.children, { ...itself }), leaves };
    };
    if (!known.has(name)) {
      const [, colour, input, root] = networks.find(([one]) => one === name);
      known.set(name, { ...build(root, "", null), name, colour: `var(--${colour})`, input });
    }
    return known.get(name);
  }

  /** The parts that a part unfolds into: its children, equal blocks together, and what it has itself. */
  function inside(node) {
    if (node.alike) return node.children;
    const lines = [];
    for (let i = 0, last; i < node.children.length; i = last) {
      for (last = i + 1; node.children[last]?.id === node.children[i].id; ) last += 1;
      const run = node.children.slice(i, last);
      if (run.length > ALIKE && run[0].children.length) {
        const path = `${run[0].path}…${run.at(-1).name}`, name = `${run[0].name} to ${run.at(-1).name}`;
        lines.push({ ...run.at(-1), path, name, alike: true, children: run, costs: sum(run), itself: zero() });
      } else lines.push(...run);
    }
    if (node.children.length && Object.values(node.itself).some(Boolean))
      lines.push({ ...node, path: `${node.path} itself`, name: "itself", kind: "between its parts", costs: node.itself,
        children: [], rest: true });
    return lines;
  }

  /** "6 × Bottleneck", "8 layers": what a sequence holds; of any other part, its class. */
  function content({ kind, children, alike }) {
    if (alike) return `${children.length} × ${children[0].kind}, alike`;
    const [holder] = kind.match(HOLDER) ?? [];
    if (!children.length || !holder) return kind;
    const kinds = new Map(), layers = children.every((child) => !child.children.length);
    for (const child of children) {
      const name = child.children.length && HOLDER.test(child.kind) ? "block" : child.kind.replace(UNCALLED, "");
      kinds.set(name, (kinds.get(name) ?? 0) + 1);
    }
    const [[name, times], second] = kinds;
    const held = name === "block" && !second ? `${times} block${times > 1 ? "s" : ""}`
      : kinds.size > 2 || (layers && children.length > 2) ? `${children.length} ${layers ? "layers" : "parts"}`
        : [...kinds].map(([one, n]) => (n > 1 || !(layers || second) ? `${n} × ` : "") + one).join(" + ");
    return held + (kind.endsWith(UNCALLED) ? UNCALLED : "");
  }
  const output = ({ shape }) => shape.join("×") || "–";
  const sees = ({ field, shape }) => (shape.length === 0 ? "–" : field === null ? "all" : field.join("×"));
  function percent(share) {
    if (share > 0 && share < 0.001) return "<0.1 %";
    if (share < 1 && share >= 0.995) return ">99 %";
    return `${share === 0 || share >= 0.0995 ? Math.round(100 * share) : (100 * share).toFixed(1)} %`;
  }

  /** Lines of the tree in order, each with its level and whether it is open: by the choice of depth, and by what was toggled. */
  function lines(root, state) {
    const turned = (node) => state.turned.includes(`${root.name} ${state.depth} ${node.path}`);
    const visit = (node, level, above, small) => {
      const parts = inside(node), within = level > 1 ? small : node.leaves <= 16; // a small block shows all its layers
      const all = state.depth === "layers" || (level > 1 && within) || (level === 0 && state.depth === "blocks");
      const open = parts.length > 0 && (all && !node.alike) !== turned(node);
      const below = open ? parts.map((part) => visit(part, level + (node.alike ? 0 : 1), node, within)) : [];
      return { node, level, open, above, parts: below, many: parts.length };
    };
    return inside(root).map((node) => visit(node, 0, root, false));
  }

  /** Boxes in a row: as high as the map has rows, as wide as it has channels, both on a square-root scale. */
  function boxes(root, opened, turn) {
    const size = (shape) => (shape.length === 3 ? shape : [shape.at(-1), shape.length === 2 ? Math.sqrt(shape[0]) : 1]);
    const parts = inside(root).filter(({ shape, rest }) => shape.length && !rest);
    const working = parts.length > 8 ? parts.filter(({ costs }) => costs.macs) : parts;
    const shown = [{ name: "image", shape: root.input, children: [] }, ...working];
    const most = [0, 1].map((i) => Math.max(...shown.map(({ shape }) => size(shape)[i])));
    const slot = 356 / shown.length, step = Math.ceil(shown.length / 8);
    const label = ({ name }, i) => { // of "stages.0", "stages.1" the second is ".1"
      const dot = name.lastIndexOf(".");
      const text = dot > 0 && i && shown[i - 1].name.startsWith(name.slice(0, dot + 1)) ? name.slice(dot) : name;
      const room = Math.max(8, Math.floor((slot * step) / 6.5));
      return text.length > room ? `${text.slice(0, room - 1)}…` : text;
    };
    const pixels = ([, rows, columns]) => (rows === columns ? `${rows} px` : `${rows}×${columns}`);
    const tenth = (value) => Math.round(value * 10) / 10; // paths are not rounded by `s`
    const children = shown.map((part, i) => {
      const [channels, rows] = size(part.shape), map = part.shape.length === 3;
      const high = tenth(Math.max(3, 80 * Math.sqrt(rows / most[1])));
      const wide = tenth(Math.max(2, 0.6 * slot * Math.sqrt(channels / most[0])));
      const deep = tenth(Math.min(0.25 * high, 0.3 * slot)), centre = tenth(2 + slot * (i + 0.5));
      const left = tenth(centre - (wide + deep) / 2), top = tenth(66 + (deep - high) / 2);
      const colour = i ? root.colour : "var(--neutral)", open = opened.includes(part.path);
      const face = { fill: colour, stroke: colour, "stroke-linejoin": "round" };
      const texts = [label(part, i), map ? pixels(part.shape) : "", map ? `${channels} ch` : part.shape.join("×")];
      const act = () => turn(part), reacts = part.children.length > 0 && turn;
      const button = { tabindex: 0, role: "button", "data-key": `box ${part.path}`, "aria-expanded": `${open}`,
        "aria-label": `${part.name}, output ${output(part)}`, style: "cursor: pointer", onclick: act,
        onkeydown: (event) => ["Enter", " "].includes(event.key) && (event.preventDefault(), act()) };
      return s("g", reacts ? button : {},
        reacts ? s("rect", { x: centre - slot / 2, y: 16, width: slot, height: 142, fill: "transparent" }) : null,
        s("path", { ...face, "fill-opacity": open ? 0.6 : 0.2,
          d: `M${left} ${top}l${deep} ${-deep}h${wide}v${high}l${-deep} ${deep}v${-high}z` }),
        s("path", { ...face, d: `M${tenth(left + wide)} ${top}l${deep} ${-deep}` }),
        s("rect", { ...face, "fill-opacity": open ? 0.9 : 0.45, x: left, y: top, width: wide, height: high }),
        i % step ? null : texts.map((text, j) =>
          s("text", { x: centre, y: 126 + 14 * j, "text-anchor": "middle", "font-size": 10.5 }, text)));
    });
    const flow = shown.map((part) => `${part.name} ${output(part)}`).join(", ");
    return picture(`${root.name} from the image to the output: ${flow}`, 160, [
      s("text", { x: 4, y: 12, "font-size": 10.5 }, "height: pixels (px) · width: channels (ch)"), children]);
  }

  const largest = (parts, what) => parts.reduce((best, one) => (one.costs[what] > best.costs[what] ? one : best));
  const shareOf = (name, part, whole, what) => {
    const share = part.costs[what] / (whole.costs[what] || 1);
    return number(name, share, percent(share));
  };
  function summary(root) {
    const parts = inside(root), weights = largest(parts, "parameters"), maps = largest(parts, "activations");
    const share = (part, what) => [part.name, " (", shareOf(`largest share of ${what}`, part, root, what), ")"];
    const { parameters, macs, activations } = root.costs;
    const unused = !weights.shape.length, rest = parameters - weights.costs.parameters;
    return [`${root.name} for an image of ${root.input.slice(1).join("×")}: ${short(parameters)} parameters, `,
      `${short(macs)} multiply-adds, ${short(activations)} activations. The largest share of the parameters is in `,
      share(weights, "parameters"), ", that of the activations in ", share(maps, "activations"),
      unused ? [`; without ${weights.name}, not called in evaluation, `, number("parameters used", rest), " parameters remain."]
        : parts.indexOf(maps) < parts.indexOf(weights) ? ": large maps early, weights late." : "."];
  }
  function about(part, root) {
    const dear = part.costs.macs && !part.alike ? largest(inside(part), "macs") : null;
    const sentences = [`${part.path} (${content(part)}) has `, shareOf("share of its parameters", part, root, "parameters"),
      " of the parameters and ", shareOf("share of its macs", part, root, "macs"), ` of the multiply-adds of ${root.name}. `];
    if (dear) sentences.push("Of these multiply-adds, ", shareOf("share inside", dear, part, "macs"),
      ` are in ${dear.path} (${content(dear)}). `);
    if (part.alike) sentences.push("Its blocks cost the same; what grows from one to the next is the receptive field. ");
    if (part.field) sentences.push(`One of its outputs can depend on ${sees(part)} pixels of the image`,
      part.field[0] > root.input[1] ? ", the border that padding adds included." : ".");
    else if (part.shape.length) sentences.push("All of its outputs depend on the same pixels, as after global pooling.");
    return sentences;
  }

  define("architecture", {
    title: "Architecture browser",
    start(data) {
      const names = networksOf(data).networks.map(([name]) => name);
      const network = data.start ?? (names.includes("resnet-50") ? "resnet-50" : names[0]);
      return { network, depth: "stages", of: "network", turned: [] };
    },
    controls: (state, data) => {
      const options = networksOf(data).networks.map(([name]) => [name, name]);
      return [
        ...(options.length > 1 ? [{ name: "network", label: "network", kind: "select", options }] : []),
        { name: "depth", label: "unfold to", kind: "choice", options: DEPTHS.map((depth) => [depth, depth]) },
        { name: "of", label: "bars are shares of", kind: "choice",
          options: [["network", "the network"], ["above", "the part above"]] },
      ];
    },
    draw(state, { data, set, still }) {
      const root = unpack(data, state.network), tree = lines(root, state);
      const keyOf = ({ path }) => `${root.name} ${state.depth} ${path}`;
      const turn = still ? null : (node) => {
        const key = keyOf(node);
        set({ turned: state.turned.includes(key) ? state.turned.filter((one) => one !== key) : [...state.turned, key] });
      };
      const flat = (rows) => rows.flatMap((row) => [row, ...flat(row.parts)]);
      const visible = flat(tree);

      const cost = (node, whole) => Object.entries(COSTS).map(([what, label]) => {
        const value = node.costs[what], share = value && value / whole[what];
        return h("span", { class: "cost" },
          number(`${what} ${node.path}`, value), h("span", { class: "spoken" }, ` ${label} `),
          value ? number(`share of ${what} ${node.path}`, share, percent(share)) : null,
          s("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
            s("rect", { width: 100, height: 6, "fill-opacity": 0.12 }),
            s("rect", { width: 100 * share, height: 6, fill: root.colour })));
      });
      const item = ({ node, level, open, above, parts, many }) => {
        const style = `--level:${level}`, label = [h("strong", {}, node.name), " ", content(node)];
        const name = many && turn
          ? h("button", { type: "button", style, "aria-expanded": `${open}`, "data-key": node.path, onclick: () => turn(node) },
            h("span", {}, label))
          : h("span", { class: "leaf", style }, h("span", {}, label));
        return h("li", {},
          h("div", { class: Object.values(node.costs).some(Boolean) ? "part" : "part free" }, name,
            h("span", { class: "output" },
              number(`shape ${node.path}`, output(node), output(node)),
              number(`field ${node.path}`, sees(node), `sees ${sees(node)}`, h, { class: "number sees" })),
            cost(node, state.of === "network" ? root.costs : above.costs)),
          open ? h("ul", {}, parts.map(item)) : null);
      };
      const walk = (event) => { // arrow keys, as in a tree of files
        const all = [...event.currentTarget.querySelectorAll("button")], at = all.indexOf(event.target);
        const open = event.target.getAttribute("aria-expanded") === "true";
        const target = {
          ArrowDown: () => all[at + 1], ArrowUp: () => all[at - 1],
          ArrowRight: () => (open ? all[at + 1] : event.target.click()),
          ArrowLeft: () => (open ? event.target.click() : event.target.closest("ul").closest("li")?.querySelector("button")),
        }[event.key];
        if (at < 0 || !target) return;
        event.preventDefault();
        target()?.focus();
      };
      const total = Object.entries(COSTS).map(([what, label]) =>
        h("span", { class: "cost" }, `${label} `, number(`${what} total`, root.costs[what], short(root.costs[what]))));

      const cells = (node, name, kind) => [name, kind, output(node), ...Object.values(node.costs).map(count), sees(node)];
      const opened = new Map(visible.filter(({ open }) => open).map(({ node }) => [keyOf(node), node]));
      const last = opened.get(state.turned.filter((key) => opened.has(key)).at(-1));
      const deepest = Math.max(...visible.map(({ node }) => (node.alike ? 0 : node.path.split(".").length)));
      return {
        figure: [
          boxes(root, tree.filter(({ open }) => open).map(({ node }) => node.path), turn),
          h("div", { class: "tree", onkeydown: walk },
            h("div", { class: "part total" }, h("span", {}, "part"), h("span", { class: "output" }, "output"), total),
            h("ul", {}, tree.map(item))),
        ],
        sentence: last ? about(last, root) : summary(root),
        table: table(["part", "kind", "output", ...Object.values(COSTS), "receptive field"], [
          ...visible.map(({ node }) => cells(node, node.path, content(node))), cells(root, "total", "")]),
        code: networksOf(data) !== window.courseExplorableData.architecture ? undefined
          : `stage_costs(models.create("${root.name}"), (${root.input.join(", ")}), depth=${deepest})`,
      };
    },
  });
})();
