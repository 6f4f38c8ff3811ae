/* Cost of a convolution: five ways from C_in to C_out channels, their parameters, multiply-adds and activations. */
(() => {
  "use strict";
  const { define, s, count, short, number, picture, table } = window.courseExplorables;

  const CHANNELS = [8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024];
  const SIZES = [4, 7, 8, 14, 16, 28, 32, 56, 112, 224];
  const divisors = (value) => Array.from({ length: value }, (_, i) => i + 1).filter((i) => value % i === 0);
  const gcd = (a, b) => (b ? gcd(b, a % b) : a);
  const nearest = (values, wanted) => values.reduce((best, one) => (Math.abs(one - wanted) < Math.abs(best - wanted) ? one : best));

  /** The convolutions of each form: [channels in, channels out, [kernel], [stride], groups]. No biases. */
  function forms({ from, to, kernel: k, stride, groups, reduction }) {
    const hidden = from / reduction, step = [stride, stride];
    return [
      { name: "standard", colour: "--plain", convolutions: [[from, to, [k, k], step, 1]] },
      { name: "reduced", colour: "--inception", convolutions: [[from, hidden, [1, 1], [1, 1], 1], [hidden, to, [k, k], step, 1]] },
      { name: "factorised", colour: "--inception",
        convolutions: [[from, to, [1, k], [1, stride], 1], [to, to, [k, 1], [stride, 1], 1]] },
      { name: "grouped", colour: "--residual", convolutions: [[from, to, [k, k], step, groups]] },
      { name: "separable", colour: "--separable", convolutions: [[from, from, [k, k], step, from], [from, to, [1, 1], [1, 1], 1]] },
    ];
  }

  /** Padding of half a kernel: an output for every `stride`-th position. */
  function costs(convolutions, height, width) {
    const total = { parameters: 0, macs: 0, activations: 0 };
    for (const [from, to, [kh, kw], [sh, sw], groups] of convolutions) {
      height = Math.ceil(height / sh);
      width = Math.ceil(width / sw);
      const weights = (kh * kw * from * to) / groups;
      total.parameters += weights;
      total.macs += weights * height * width;
      total.activations += to * height * width;
    }
    return total;
  }

  function code(convolutions) {
    const pair = ([a, b]) => (a === b ? `${a}` : `(${a}, ${b})`);
    const lines = convolutions.map(([from, to, kernel, stride, groups]) => {
      const padding = kernel.map((size) => (size - 1) / 2);
      const options = [
        Math.max(...stride) > 1 ? `stride=${pair(stride)}` : "",
        Math.max(...padding) > 0 ? `padding=${pair(padding)}` : "",
        groups > 1 ? `groups=${groups}` : "",
        "bias=False",
      ];
      return `nn.Conv2d(${[from, to, pair(kernel), ...options.filter(Boolean)].join(", ")})`;
    });
    return lines.length === 1 ? lines[0] : `nn.Sequential(\n    ${lines.join(",\n    ")},\n)`;
  }

  function bars(what, key, rows) {
    const most = Math.max(...rows.map((row) => row[key])), left = 74, room = 186;
    const children = rows.flatMap((row, i) => {
      const y = 26 + 24 * i, length = Math.max(1, (row[key] / most) * room);
      const share = row[key] / rows[0][key];
      const times = i === 0 ? "" : share < 0.995 ? ` (÷ ${short(1 / share)})` : share > 1.005 ? ` (× ${short(share)})` : " (same)";
      return [
        s("text", { x: left - 6, y: y + 13, "text-anchor": "end" }, row.name),
        s("rect", { x: left, y, width: length, height: 17, fill: `var(${row.colour})` }),
        number(`${key}.${row.name}`, row[key], short(row[key]) + times, s, { x: left + length + 5, y: y + 13 }),
      ];
    });
    const label = `${what}: ${rows.map((row) => `${row.name} ${short(row[key])}`).join(", ")}`;
    return picture(label, 150, [s("text", { x: left, y: 14, "font-weight": 700 }, what),
      s("text", { x: 354, y: 14, "text-anchor": "end", "font-size": 11 }, "in brackets: against standard"), children]);
  }

  define("cost", {
    title: "Cost of a convolution",
    start: () => ({ height: 28, width: 28, from: 256, to: 256, kernel: 3, stride: 1, groups: 32, reduction: 4, form: "separable" }),
    settle(state) {
      const groups = nearest(divisors(gcd(state.from, state.to)), state.groups);
      return { ...state, groups, reduction: nearest(divisors(state.from), state.reduction) };
    },
    controls: (state) => [
      { name: "height", label: "height", kind: "range", values: SIZES, unit: "px" },
      { name: "width", label: "width", kind: "range", values: SIZES, unit: "px" },
      { name: "from", label: "channels in", kind: "range", values: CHANNELS },
      { name: "to", label: "channels out", kind: "range", values: CHANNELS },
      { name: "kernel", label: "kernel", kind: "range", values: [1, 3, 5, 7], show: (k) => `${k}×${k}` },
      { name: "stride", label: "stride", kind: "range", values: [1, 2, 4] },
      { name: "groups", label: "groups", kind: "range", values: divisors(gcd(state.from, state.to)) },
      { name: "reduction", label: "1×1 reduction", kind: "range", values: divisors(state.from), show: (r) => `÷ ${r}` },
      { name: "form", label: "PyTorch code of", kind: "choice", options: forms(state).map(({ name }) => [name, name]) },
    ],
    draw(state) {
      const rows = forms(state).map((form) => ({ ...form, ...costs(form.convolutions, state.height, state.width) }));
      const chosen = rows.find((row) => row.name === state.form);
      const [standard] = rows, cheapest = rows.reduce((best, row) => (row.macs < best.macs ? row : best));
      return {
        figure: [bars("parameters", "parameters", rows), bars("multiply-adds", "macs", rows), bars("activations", "activations", rows)],
        sentence: [
          `A ${state.kernel}×${state.kernel} convolution from ${state.from} to ${state.to} channels on ${state.height}×${state.width} `,
          `pixels${state.stride > 1 ? ` with stride ${state.stride}` : ""} costs ${short(standard.macs)} multiply-adds. `,
          cheapest === standard ? "No other form costs less here." : `Cheapest is the ${cheapest.name} form: `,
          cheapest === standard ? "" : `${short(cheapest.macs)}, ${short(standard.macs / cheapest.macs)} times fewer.`,
        ],
        table: table(["form", "parameters", "multiply-adds", "activations"],
          rows.map((row) => [row.name, count(row.parameters), count(row.macs), count(row.activations)])),
        code: code(chosen.convolutions),
      };
    },
  });
})();
