/* What all explorables share: a custom element that turns its static picture into controls, a drawing and numbers.

   An explorable is a plain object:
     title     a name for screen readers
     start     data => the state at the beginning, one value per control
     settle    (wish, data) => the state nearest to the reader's wish that is possible; optional. The wish is kept, so that it
               comes back when it becomes possible again
     controls  (state, data) => list of controls (see `control` below)
     draw      (state, api) => {figure, sentence, table, code}: nodes made with `h` and `s`; `draw` measures nothing on the
               page, so that the same state always gives the same nodes, which the static picture is made of
   `api.set({name: value})` changes the state from inside a drawing, `api.data` is the explorable's recorded data.
   Every number carries its exact value (`kit.number`), so that a test reads what the reader sees. */
(() => {
  "use strict";
  if (window.courseExplorables) return; // another output of the notebook brought it

  const SVG = "http://www.w3.org/2000/svg";
  const round = (value) => (typeof value === "number" ? Math.round(value * 10) / 10 : value);

  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : node.namespaceURI === SVG && !name.startsWith("data-") ? round(value) : value);
    }
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  }
  /** An HTML element: h("p", {class: "x", onclick: f}, "text", child, [more]). */
  const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  /** An SVG element; coordinates are rounded to a tenth. */
  const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

  /** 1234567 as "1,234,567". */
  const count = (value) => Math.round(value).toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  /** Three digits and a unit: 115605504 as "116 M", 36864 as "36.9 k", 64 as "64". */
  function short(value) {
    if (value < 1000) return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
    let rest = value, unit = 0;
    while (Number(rest.toPrecision(3)) >= 1000) {
      rest /= 1000;
      unit += 1;
    }
    return `${Number(rest.toPrecision(3))} ${["", "k", "M", "G", "T", "P"][unit]}`;
  }
  /** A number that the reader sees, under a name, with its exact value. In SVG pass `s` and the attributes of a <text>. */
  function number(name, value, text, make = h, attributes = {}) {
    const tag = make === s ? "text" : "span";
    return make(tag, { class: "number", "data-number": name, "data-value": value, ...attributes }, text ?? short(value));
  }

  /** No-break spaces where a line would tear a number from its sign, as everywhere on the site; code and drawings stay as they are. */
  function together(node) {
    const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode;
      const joined = text.data.replace(/(^|\d) (?=%)/g, "$1\u00a0").replace(/(^|[\d%]) (?=±)/g, "$1\u00a0").replace(/± (?=\d|$)/g, "±\u00a0");
      if (joined !== text.data && !text.parentElement.closest("code, svg")) text.data = joined;
    }
  }

  /** A drawing with a text alternative; 360 units wide unless told, scaled to its column. */
  function picture(label, height, children, width = 360) {
    const box = { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, style: `--wide:${width}` };
    return s("svg", box, children);
  }

  /** Positions on an axis from `low` to `high`, drawn from pixel `from` to pixel `to`. */
  function scale(low, high, from, to, log = false) {
    const f = log ? Math.log : (value) => value;
    return (value) => from + ((f(value) - f(low)) / (f(high) - f(low))) * (to - from);
  }
  /** Round numbers that mark an axis: powers of ten if `log` (with 2 and 5 where there are few), else about five. */
  function ticks(low, high, log = false) {
    if (log) {
      const powers = (steps) => {
        const found = [];
        for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high) + 1e-9; power += 1)
          for (const step of steps) {
            const tick = Number((step * 10 ** power).toPrecision(3));
            if (tick >= low * 0.999 && tick <= high * 1.001) found.push(tick);
          }
        return found;
      };
      const decades = powers([1]);
      if (decades.length > 6) return decades.filter((_, i) => i % Math.ceil(decades.length / 5) === 0);
      return decades.length > 2 ? decades : powers([1, 2, 5]);
    }
    const raw = (high - low) / 5, power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find((size) => size * power >= raw * 0.999);
    const found = [];
    for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step)
      found.push(Number(tick.toPrecision(12)));
    return found;
  }

  /** Rows under a heading, as a table that can be copied. A row is a list of texts and nodes; its first cell names it. */
  function table(heading, rows, caption) {
    const cell = (tag, scope) => (content) => h(tag, scope ? { scope } : {}, content);
    return h("table", {},
      caption ? h("caption", {}, caption) : null,
      h("thead", {}, h("tr", {}, heading.map(cell("th", "col")))),
      h("tbody", {}, rows.map(([name, ...cells]) => h("tr", {}, h("th", { scope: "row" }, name), cells.map(cell("td"))))));
  }

  /* Controls: {name, label, kind, ...}
       range    values: a list to choose from, in order; unit; show: value => text
       choice   options: [[value, label], ...], as buttons of which one is pressed
       select   options: the same, as a list that folds
       switch   true or false
       button   press: state => change. Several in a row: options: [[value, label], ...] and press: (state, value) => change.
                What `off` names (true, or a list of values) does nothing when pressed; it keeps the keyboard's focus
     A control keeps its element while the state changes, so that a finger or the keyboard stays on it. */
  let made = 0;
  function control(set) {
    let spec = null;
    const id = `explorable-${(made += 1)}`;
    const parts = {};
    const shown = (value) => (spec.show ? spec.show(value) : `${value}`) + (spec.unit ? ` ${spec.unit}` : "");
    const nearest = (value) => {
      const distance = spec.values.map((one) => Math.abs(one - value));
      return distance.indexOf(Math.min(...distance));
    };
    const makers = {
      range() {
        parts.input = h("input", { type: "range", id, min: 0, step: 1,
          oninput: () => set({ [spec.name]: spec.values[Number(parts.input.value)] }) });
        parts.output = h("output", { for: id });
        return h("div", { class: "control range" }, h("label", { for: id }, spec.label), parts.input, parts.output);
      },
      choice() {
        parts.box = h("div", { class: "options" });
        return h("fieldset", { class: "control choice" }, h("legend", {}, spec.label), parts.box);
      },
      select() {
        parts.input = h("select", { id, onchange: () => set({ [spec.name]: spec.options[parts.input.selectedIndex][0] }) });
        return h("div", { class: "control select" }, h("label", { for: id }, spec.label), parts.input);
      },
      switch() {
        parts.input = h("input", { type: "checkbox", id, onchange: () => set({ [spec.name]: parts.input.checked }) });
        return h("div", { class: "control switch" }, parts.input, h("label", { for: id }, spec.label));
      },
      button() {
        parts.box = h("div", { class: "options" });
        if (!spec.options) return h("div", { class: "control button" }, parts.box);
        return h("fieldset", { class: "control choice button" }, h("legend", {}, spec.label), parts.box);
      },
    };
    const updates = {
      range(value) {
        parts.input.max = spec.values.length - 1;
        parts.input.value = nearest(value);
        parts.input.disabled = spec.values.length < 2;
        parts.output.textContent = shown(value);
        parts.input.setAttribute("aria-valuetext", shown(value));
      },
      choice(value) {
        const signature = JSON.stringify(spec.options);
        if (parts.signature !== signature) {
          parts.signature = signature;
          parts.box.replaceChildren(...spec.options.map(([option, label], i) =>
            h("span", {},
              h("input", { type: "radio", name: id, id: `${id}-${i}`, onchange: () => set({ [spec.name]: option }) }),
              h("label", { for: `${id}-${i}` }, label))));
        }
        spec.options.forEach(([option], i) => { parts.box.children[i].firstChild.checked = option === value; });
      },
      select(value) {
        const signature = JSON.stringify(spec.options);
        if (parts.signature !== signature) {
          parts.signature = signature;
          parts.input.replaceChildren(...spec.options.map(([, label]) => h("option", {}, label)));
        }
        parts.input.selectedIndex = spec.options.findIndex(([option]) => option === value);
      },
      switch(value) { parts.input.checked = value; },
      button(_, state) {
        const options = spec.options ?? [[null, spec.label]], signature = JSON.stringify(options);
        const isOff = (value) => spec.off === true || (Array.isArray(spec.off) && spec.off.includes(value));
        parts.state = state;
        if (parts.signature !== signature) {
          const held = parts.box.contains(document.activeElement);
          parts.signature = signature;
          parts.box.replaceChildren(...options.map(([value, label]) => h("button", { type: "button",
            onclick: () => { if (!isOff(value)) set(spec.press(parts.state, value)); } }, label)));
          if (held) parts.box.firstChild.focus();
        }
        options.forEach(([value], i) => parts.box.children[i].setAttribute("aria-disabled", isOff(value)));
      },
    };
    return {
      update(next, value, state) {
        const isNew = spec === null;
        spec = next;
        if (isNew) {
          this.node = makers[spec.kind]();
          this.node.dataset.control = spec.name;
        }
        updates[spec.kind](value, state);
      },
    };
  }

  const drawn = (explorable, state, api) => {
    const { figure, sentence, table: numbers, code } = explorable.draw(state, api);
    for (const svg of [figure].flat(Infinity)) // a picture has no parts for screen readers, a group has
      if (svg?.querySelector?.('[role="button"]')) svg.setAttribute("role", "group");
    const copy = code === undefined ? [] : [codeLine(code)];
    return { figure: h("div", { class: "figure" }, figure), sentence: h("p", { class: "sentence" }, sentence),
      rest: [...copy, numbers ? h("details", {}, h("summary", {}, "The numbers"), h("div", { class: "scroll" }, numbers)) : null] };
  };

  function codeLine(text) {
    const button = h("button", { type: "button", onclick: () => copyText(text, button) }, "Copy");
    return h("div", { class: "code" }, h("pre", { tabindex: 0 }, h("code", {}, text)), button);
  }
  /** Copy a text by a button, which says so; `shown` is selected where a frame may not copy. */
  async function copyText(text, button, shown = button.parentElement.querySelector("code")) {
    const label = (button.dataset.label ??= button.textContent);
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch { // no permission, as in a sandboxed frame: select it for the reader
      getSelection().selectAllChildren(shown);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = label; }, 2000);
  }

  const known = {};
  /** The nodes of an explorable at its start, without controls: what a reader without scripts gets. */
  function still(name) {
    const explorable = known[name], data = window.courseExplorableData?.[name] ?? null;
    const parts = drawn(explorable, explorable.start(data), { data, set() {}, still: true });
    for (const button of parts.rest.flatMap((node) => (node ? [...node.querySelectorAll("button")] : []))) {
      if (button.closest("th")) button.replaceWith(...button.childNodes); // a column keeps its name
      else button.remove();
    }
    for (const part of parts.figure.querySelectorAll('[role="button"]')) { // nothing happens there
      part.setAttribute("role", "img");
      for (const name of ["tabindex", "aria-pressed", "style"]) part.removeAttribute(name);
    }
    return h("div", {}, parts.figure, parts.sentence, parts.rest.filter(Boolean)).innerHTML;
  }

  /** Register an explorable as <course-NAME>. Its recorded data, if any, came before its script. */
  function define(name, explorable) {
    if (known[name]) return; // another output brought it
    known[name] = explorable;
    const stored = window.courseExplorableData?.[name] ?? null;
    customElements.define(`course-${name}`, class extends HTMLElement {
      connectedCallback() {
        if (this.started) return;
        if (document.readyState === "loading") { // its picture may not be read yet, and would come after what is made here
          document.addEventListener("DOMContentLoaded", () => this.connectedCallback(), { once: true });
          return;
        }
        this.started = true;
        const pictured = [...this.childNodes];
        try {
          this.start();
        } catch (problem) {
          this.replaceChildren(...pictured); // a picture is better than half a tool
          throw problem;
        }
      }

      start() {
        const data = this.dataset.own ? JSON.parse(this.dataset.own) : stored;
        const settle = explorable.settle ?? ((wish) => wish);
        let wish = { ...explorable.start(data) };
        const controls = new Map(), panel = h("div", { class: "controls" }), live = h("p", { class: "spoken", role: "status" });
        const view = h("div", { class: "view" });
        let speak = 0;
        const render = (first) => {
          const state = settle(wish, data);
          const specs = explorable.controls(state, data);
          for (const spec of specs) {
            if (!controls.has(spec.name)) controls.set(spec.name, control(set));
            controls.get(spec.name).update(spec, state[spec.name], state);
          }
          const wanted = specs.map((spec) => controls.get(spec.name).node);
          if (wanted.length !== panel.children.length || wanted.some((node, i) => panel.children[i] !== node)) {
            const focused = document.activeElement;
            panel.replaceChildren(...wanted);
            if (panel.contains(focused)) focused.focus();
          }
          const key = this.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
          const open = [...view.querySelectorAll("details")].map((one) => one.open);
          const { figure, sentence, rest } = drawn(explorable, state, { data, set });
          view.replaceChildren(figure, sentence, ...rest.filter(Boolean));
          together(view);
          [...view.querySelectorAll("details")].forEach((one, i) => { one.open = open[i] ?? one.open; });
          if (key) view.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
          clearTimeout(speak);
          if (!first) speak = setTimeout(() => { live.textContent = sentence.textContent; }, 700);
        };
        const set = (change) => {
          wish = { ...wish, ...change };
          render(false);
        };
        this.setAttribute("role", "group");
        this.addEventListener("focusin", (event) => { // JupyterLab leaves the keys to what says so itself
          event.target.dataset.lmSuppressShortcuts = "true";
        });
        this.setAttribute("aria-label", explorable.title);
        render(true);
        this.replaceChildren(panel, view, live);
        this.classList.add("live");
      }
    });
  }

  window.courseExplorables = { define, still, h, s, count, short, number, picture, scale, ticks, table, copyText, together };
})();
