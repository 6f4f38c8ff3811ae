/* Receptive field: which pixels one output depends on, layer by layer; as a square on an image and as a side view. */
(() => {
  "use strict";
  const { define, s, count, number, picture, table } = window.courseExplorables;

  /* A layer is written "3" (3×3), "1x7", "3/2" (stride 2), "3d2" (dilated), "p2/2" (pooling); "fan" is 1×3 beside 3×1.
     It pads by half its kernel, so that there is an output for every stride-th position. At its end "v" means a convolution
     or pooling without padding, and "c" the same rounded up. */
  function layer(token) {
    const [, pool, high, wide = high, dilation = 1, stride = 1, edge] =
      /^(p?)(\d)(?:x(\d))?(?:d(\d))?(?:\/(\d))?([vc]?)$/.exec(token.replace("fan", "3"));
    const words = [pool && "pool", `${high}×${wide}`, dilation > 1 && `dilated ${dilation}`, stride > 1 && `/${stride}`];
    return { label: token === "fan" ? "1×3 beside 3×1" : words.filter(Boolean).join(" "), pool: pool !== "", edge,
      kernel: { height: Number(high), width: Number(wide) }, stride: Number(stride), dilation: Number(dilation) };
  }
  const many = (times, tokens) => Array(times).fill(tokens).join(" ");
  const googlenet = (kernel, lastPool) => ["7/2 p3/2c 1 3 p3/2c", many(2, `1 ${kernel}`), `p3/2c ${many(5, `1 ${kernel}`)}`,
    `${lastPool} ${many(2, `1 ${kernel}`)}`];

  /** The stem and the stages of the course's networks; of branches and shortcuts, the widest path. */
  const NETWORKS = {
    "vgg-16": { label: "VGG-16", colour: "--plain",
      stages: ["", "3 3 p2/2", "3 3 p2/2", "3 3 3 p2/2", "3 3 3 p2/2", "3 3 3 p2/2"] },
    "resnet-18": { label: "ResNet-18", colour: "--residual",
      stages: ["7/2 p3/2", "3 3 3 3", "3/2 3 3 3", "3/2 3 3 3", "3/2 3 3 3"] },
    "resnet-50": { label: "ResNet-50", colour: "--residual", stages: ["7/2 p3/2", many(3, "1 3 1"),
      `1 3/2 1 ${many(3, "1 3 1")}`, `1 3/2 1 ${many(5, "1 3 1")}`, `1 3/2 1 ${many(2, "1 3 1")}`] },
    googlenet: { label: "GoogLeNet (paper)", colour: "--inception", stages: googlenet("5", "p3/2c"), options: ", paper=True" },
    "googlenet-3": { label: "GoogLeNet (weights: 3×3 for 5×5)", colour: "--inception", stages: googlenet("3", "p2/2c"),
      create: "googlenet" },
    "inception-v3": { label: "Inception-v3", colour: "--inception", image: 299, stages: ["3/2v 3v 3 p3/2v 1 3v p3/2v",
      many(3, "1 3 3"), `1 3 3/2v ${many(4, "1 7x1 1x7 7x1 1x7")}`, "1 1x7 7x1 3/2v 1 3 fan 1 3 fan"] },
    large: { label: "one 7×7", stack: "7" },
    three: { label: "three 3×3", stack: "3 3 3" },
    crossed: { label: "1×7, then 7×1", stack: "1x7 7x1" },
    dilated: { label: "3×3 dilated 1, 2, 4", stack: "3 3d2 3d4" },
    holes: { label: "3×3 dilated 2, 2, 2", stack: "3d2 3d2 3d2" },
    own: { label: "your own stack" },
  };
  const ADD = ["3", "5", "7", "1", "3/2", "p2/2", "3d2", "1x7", "7x1"];
  const AXES = ["height", "width"], COSTS = ["weights", "macs"];

  const isStack = (state) => !NETWORKS[state.network].stages;
  /** [token, part] of every layer of the network that is chosen; `kept`: of those that the reader has kept. */
  function tokens({ network, own }) {
    const { stages, stack = own } = NETWORKS[network];
    const named = (i) => (token) => [token, i ? `stage ${i}` : "stem"];
    return (stages ?? [stack]).flatMap((row, i) => row.split(" ").filter(Boolean).map(named(i)));
  }
  const kept = (state) => tokens(state).slice(0, state[`depth.${state.network}`]);

  /** Forwards: after each layer the field and the jump from an output to the next, in pixels, and the size of the map. */
  function grow(rows, image) {
    let height = 1, width = 1, jump = 1, map = image;
    return rows.map(([token, part]) => {
      const one = layer(token), { kernel, dilation, stride, edge } = one;
      height += (kernel.height - 1) * dilation * jump;
      width += (kernel.width - 1) * dilation * jump;
      jump *= stride;
      map = edge ? Math[edge === "c" ? "ceil" : "floor"]((map - kernel.width) / stride) + 1 : Math.ceil(map / stride);
      const weights = one.pool ? 0 : kernel.height * kernel.width;
      return { ...one, part, height, width, jump, map, weights, macs: weights * map ** 2 };
    });
  }

  /** Backwards: of each map, from the input on, the positions below one output, and in how many ways each leads to it. */
  function ways(layers, axis) {
    const maps = [[1]];
    for (const { kernel, stride, dilation } of [...layers].reverse()) {
      const [above] = maps, size = kernel[axis];
      const below = Array((above.length - 1) * stride + dilation * (size - 1) + 1).fill(0);
      above.forEach((paths, i) => { for (let j = 0; j < size; j += 1) below[i * stride + j * dilation] += paths; });
      maps.unshift(below);
    }
    return maps;
  }

  const total = (layers, what) => layers.reduce((sum, one) => sum + one[what], 0);
  const isFull = (layers) => layers.length >= 16 || Math.max(layers.at(-1).height, layers.at(-1).width) > 500;

  const path = (d, attributes) => s("path", { d, fill: "none", ...attributes });
  const at = (x, y) => `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;
  const small = { "font-size": 11 };

  function sideView(layers, axis, colour, branched) {
    const maps = ways(layers, axis), n = layers.length, middle = 202, base = 302;
    const step = Math.min(92, 274 / n), unit = 212 / Math.max(maps[0].length, 3), roomy = step >= 13;
    const jumps = [1, ...layers.map((one) => one.jump)], visible = (row) => jumps[row] * unit >= 3.2;
    const y = (row) => base - row * step;
    const x = (row, i) => middle + (i - (maps[row].length - 1) / 2) * jumps[row] * unit;
    const edge = (row, side) => at(middle + (side * ((maps[row].length - 1) * jumps[row] + 1) * unit) / 2, y(row));
    let lines = "", dots = "", full = "";
    maps.forEach((map, row) => {
      if (!visible(row)) full += `M${edge(row, -1)}L${edge(row, 1)}`;
      else map.forEach((paths, i) => {
        if (!paths) return;
        dots += `M${at(x(row, i), y(row))}h0`;
        if (row === 0 || !visible(row - 1)) return;
        const { kernel, stride, dilation } = layers[row - 1];
        for (let j = 0; j < kernel[axis]; j += 1)
          lines += `M${at(x(row, i), y(row))}L${at(x(row - 1, i * stride + j * dilation), y(row - 1))}`;
      });
    });
    const rows = maps.map((_, row) => row);
    const cone = [...rows.map((row) => edge(row, -1)), ...rows.reverse().map((row) => edge(row, 1))].join("L");

    // At the left the layers, or else the parts; at the right what is seen. Where there is no room the lower one goes.
    const words = [], last = { left: -20, right: -20 };
    const place = (side, height, text) => {
      if (height - last[side] < 12) return;
      last[side] = height;
      words.push(text({ y: height + 4, ...small }));
    };
    const starts = (i) => roomy || i === 0 || layers[i - 1].part !== layers[i].part;
    for (let i = n - 1, first; i >= 0; i = first - 1) {
      for (first = i; !starts(first);) first -= 1;
      place("left", (y(i + 1) + y(first)) / 2, (where) => s("text", { x: 2, ...where }, layers[i][roomy ? "label" : "part"]));
      place("right", y(i + 1), (where) => number(`sees.${i + 1}`, layers[i][axis], count(layers[i][axis]), s,
        { x: 358, "text-anchor": "end", "font-weight": i === n - 1 ? 700 : 400, ...where }));
    }
    const most = Math.max(...maps[0]), left = middle - (maps[0].length * unit) / 2;
    const bars = maps[0].map((paths, i) => [i, i + 1].map((k) => `L${at(left + k * unit, 342 - (paths / most) * 30)}`).join(""));
    return picture(`Side view along the ${axis}: ${n} layers widen one output to ${maps[0].length} pixels`, 364, [
      s("text", { x: 2, y: 14, "font-weight": 700 }, `side view along the ${axis}`),
      s("text", { x: 358, y: 14, "text-anchor": "end", ...small }, "sees (px)"),
      path(`M${cone}Z`, { fill: `var(${colour})`, "fill-opacity": "0.16" }),
      path(lines, { stroke: `var(${colour})`, "stroke-width": 0.7 }),
      path(full, { stroke: `var(${colour})`, "stroke-width": 1.6 }),
      path(dots, { stroke: "currentColor", "stroke-width": unit < 5 ? 2.6 : 4, "stroke-linecap": "round" }),
      s("circle", { cx: middle, cy: y(n), r: 4.5, fill: `var(${colour})`, stroke: "currentColor" }),
      s("text", { x: middle + 9, y: y(n) - 4, ...small }, "one output"),
      s("text", { x: 2, y: base + 15, ...small }, "pixels"),
      path(`M${at(left, 342)}${bars.join("")}L${at(left + maps[0].length * unit, 342)}Z`,
        { fill: `var(${colour})`, "fill-opacity": 0.6 }),
      s("text", { x: middle, y: 358, "text-anchor": "middle", ...small },
        `ways from each pixel to the output${branched ? ", on the widest path" : ""}`),
      words,
    ]);
  }

  /** A cat's head in a square of side 1, its nose in the middle. */
  const CAT = "M-.3-.22L-.31-.46L-.13-.35M.3-.22L.31-.46L.13-.35M-.36-.02A.36.37 0 1 1 .36-.02A.36.37 0 1 1-.36-.02" +
    "M-.2-.13A.055.07 0 1 1-.09-.13A.055.07 0 1 1-.2-.13M.09-.13A.055.07 0 1 1 .2-.13A.055.07 0 1 1 .09-.13" +
    "M-.035-.02H.035L0 .03ZM0 .03V.09Q-.05 .16-.12 .11M0 .09Q.05 .16 .12 .11" +
    "M.14 .04L.42-.02M.14 .07L.42 .1M-.14 .04L-.42-.02M-.14 .07L-.42 .1";
  const runs = (map) => map.reduce((found, paths, i) => { // [first, length] of each run of positions that are read
    if (paths && !map[i - 1]) found.push([i, 0]);
    if (paths) found.at(-1)[1] += 1;
    return found;
  }, []);

  function onImage(layers, image, colour) {
    const { height, width, jump } = layers.at(-1), beyond = Math.max(height, width) > image;
    const unit = 296 / Math.max(image, height, width + 2 * jump), x = (px) => 180 + px * unit, y = (px) => 174 + px * unit;
    const [rows, columns] = AXES.map((axis) => runs(ways(layers, axis)[0]));
    const read = rows.flatMap(([top, high]) => columns.map(([first, wide]) => {
      const [left, right] = [first, first + wide].map((px) => x(px - width / 2));
      const [upper, lower] = [top, top + high].map((px) => y(px - height / 2));
      return `M${at(left, upper)}L${at(right, upper)}L${at(right, lower)}L${at(left, lower)}Z`;
    }));
    const half = image / 2, mesh = unit >= 8 ? 1 : image / 8;
    const grid = Array.from({ length: image / mesh }, (_, i) => i * mesh - half)
      .map((px) => `M${at(x(px), y(-half))}L${at(x(px), y(half))}M${at(x(-half), y(px))}L${at(x(half), y(px))}`);
    const box = (left, high, wide, attributes) => s("rect", { x: x(left - wide / 2), y: y(-high / 2), width: wide * unit,
      height: high * unit, fill: "none", ...attributes });
    const shown = (name, value) => number(name, value, count(value), (_, attributes, text) => s("tspan", attributes, text));
    return picture(`One output sees ${height} times ${width} pixels of an image of ${image} times ${image}`, 364, [
      s("text", { x: 180, y: 14, "text-anchor": "middle", "font-weight": 700 }, `on an image of ${image}×${image} px`),
      box(0, image, image, { fill: "currentColor", "fill-opacity": "0.05", stroke: "currentColor" }),
      path(grid.join(""), { class: "grid" }),
      s("path", { d: CAT, class: "axis", transform: `translate(180 174) scale(${image * unit})`, "stroke-opacity": "0.75",
        "stroke-width": 1.6, "vector-effect": "non-scaling-stroke" }),
      path(read.join(""), { fill: `var(${colour})`, "fill-opacity": 0.4 }),
      box(jump, height, width, { stroke: `var(${colour})`, "stroke-dasharray": "4 3", "stroke-width": 1.3 }),
      box(0, height, width, { stroke: `var(${colour})`, "stroke-width": 2.3 }),
      s("text", { x: 180, y: 342, "text-anchor": "middle" },
        "one output sees ", shown("height", height), "×", shown("width", width), " px", beyond ? ", more than the image" : ""),
      s("text", { x: 180, y: 358, "text-anchor": "middle", ...small },
        "dashed: what the next output sees, ", shown("jump", jump), " px further"),
    ]);
  }

  function code(layers) {
    const pair = ([a, b]) => (a === b ? `${a}` : `(${a}, ${b})`);
    const lines = layers.map(({ pool, kernel, stride, dilation }) => {
      const sizes = AXES.map((axis) => kernel[axis]), padding = sizes.map((size) => (dilation * (size - 1)) / 2);
      if (pool) return `nn.MaxPool2d(${sizes[0]}, ceil_mode=True)`;
      const options = [stride > 1 && `stride=${stride}`, Math.max(...padding) && `padding=${pair(padding)}`,
        dilation > 1 && `dilation=${dilation}`, "bias=False"];
      return `nn.Conv2d(${["C, C", pair(sizes), ...options].filter(Boolean).join(", ")})`;
    });
    return `nn.Sequential(\n    ${lines.join(",\n    ")},\n)`;
  }

  /** What is seen, how much of the image that is, and what to make of it. */
  function reading(state, layers, image) {
    const { height, width, jump, part } = layers.at(-1), area = height * width, n = layers.length, stack = isStack(state);
    const percent = Number(((100 * area) / image ** 2).toPrecision(2)), weights = total(layers, "weights");
    const read = AXES.reduce((product, axis) => product * ways(layers, axis)[0].filter(Boolean).length, 1);
    const steps = stack && n < 5 ? layers.map((one) => one.label).join(", then ") : n === 1 ? "one layer" : `${n} layers`;
    const place = stack ? "" : ` of ${NETWORKS[state.network].label}, in ${part === "stem" ? "the stem" : part}`;
    return [
      `After ${steps}${place}, one output depends on ${count(height)}×${count(width)} pixels, `,
      Math.max(height, width) > image ? "more than the image has: a part of what it reads is always padding. "
        : [number("percent", percent, `${percent}`), " % of the image. "],
      read < area ? ["Dilation leaves holes: it reads only ", number("read", read, count(read)), ` of ${count(area)}. `] : "",
      stack && jump === 1 && weights && n > 1
        ? [number("weights", weights, count(weights)), " weights do it for each pair of channels; ",
          `one kernel of that size has ${count(area)}.`]
        : [`The field of the next output lies ${jump === 1 ? "one pixel" : `${jump} pixels`} further: `,
          `another 3×3 widens the view by ${2 * jump}.`],
      isFull(layers) && stack ? " The stack is full." : "",
    ];
  }

  define("field", {
    title: "Receptive field",
    start: () => ({ network: "vgg-16", "depth.vgg-16": 10, image: 32, axis: "width", own: "3 3" }),
    settle(wish) {
      const key = `depth.${wish.network}`, all = tokens(wish).length, state = { ...wish, [key]: Math.min(wish[key] ?? all, all) };
      const crossed = isStack(state) && kept(state).some(([token]) => token.includes("x"));
      return { ...state, crossed, axis: crossed ? wish.axis : "width" };
    },
    controls(state) {
      const all = tokens(state).length, layers = grow(kept(state), 224);
      const change = (now, token) => {
        if (token === "own") return { network: "own" };
        const row = kept(now).map(([one]) => one), own = token === "remove" ? row.slice(0, -1) : [...row, token];
        return { network: "own", own: own.join(" "), "depth.own": own.length };
      };
      return [
        { name: "network", label: "network", kind: "select",
          options: Object.entries(NETWORKS).map(([name, { label }]) => [name, label]) },
        { name: "stack", label: "stack", kind: "button", press: change,
          off: [...(isFull(layers) ? ADD : []), ...(layers.length === 1 ? ["remove"] : [])],
          options: isStack(state) ? [...ADD.map((token) => [token, `+ ${layer(token).label}`]), ["remove", "remove last"]]
            : [["own", "build your own"]] },
        state.crossed && { name: "axis", label: "side view along", kind: "choice", options: AXES.map((axis) => [axis, axis]) },
        { name: `depth.${state.network}`, label: "layers", kind: "range", values: Array.from({ length: all }, (_, i) => i + 1),
          show: (depth) => `${depth} of ${all}` },
        isStack(state) && { name: "image", label: "image", kind: "range", values: [8, 32, 64, 224], unit: "px" },
      ].filter(Boolean);
    },
    draw(state) {
      const stack = isStack(state), network = NETWORKS[state.network], { colour = "--plain" } = network;
      const image = stack ? state.image : network.image ?? 224, layers = grow(kept(state), image);
      const create = `create("${network.create ?? state.network}"${network.options ?? ""})`;
      const branched = colour !== "--plain"; // by modules or by shortcuts
      const cell = (name, value, text = count(value)) => number(name, value, text);
      const rows = layers.map((one, i) => [`${i + 1} · ${one.label}`, stack ? [] : [one.part],
        [[cell(`height.${i + 1}`, one.height), "×", cell(`width.${i + 1}`, one.width)]],
        cell(`jump.${i + 1}`, one.jump), cell(`map.${i + 1}`, one.map, `${one.map}×${one.map}`),
        stack ? COSTS.map((what) => cell(`${what}.${i + 1}`, one[what])) : []].flat());
      if (stack) rows.push(["together", "", "", "", ...COSTS.map((what) => cell(what, total(layers, what)))]);
      return {
        figure: [onImage(layers, image, colour), sideView(layers, state.axis, colour, branched)],
        sentence: reading(state, layers, image),
        table: table(["layer", ...(stack ? [] : ["part"]), "sees (px)", "jump (px)", "map",
          ...(stack ? ["weights", "multiply-adds"] : [])], rows,
        stack ? "Weights and multiply-adds are those of one pair of channels" : branched && "Along the widest path"),
        code: stack ? code(layers) : `stage_costs(${create}, (3, ${image}, ${image}))`,
      };
    },
  });
})();
