/* Quizzes: <course-quiz> turns the list of questions that stands in the page into fields with feedback.

   Right answers and feedback lie encoded in `data-quiz` (course_lib/quizzes writes it): {name, questions}, where a question is
     {id, several, options: [{right, feedback}]}   or   {id, answer, unit, tolerance, right, wrong: [{value, feedback}], otherwise}
   in the order of the page. What a reader checked stays in the browser, under the names of quiz and question, or nowhere. */
(() => {
  "use strict";
  const { h, count, together } = window.courseExplorables;
  if (customElements.get("course-quiz")) return; // another output of the notebook brought it

  const UNITS = { "": 1, k: 1e3, thousand: 1e3, m: 1e6, million: 1e6, g: 1e9, b: 1e9, billion: 1e9, "%": 1, "×": 1, x: 1 };
  const GROUPS = { ",": /^\d{1,3}(,\d{3})+$/, ".": /^\d{1,3}(\.\d{3})+$/ };

  /** The number that a reader wrote: 1605632, 1,605,632, 1 605 632, 1.6 M, 28 %, 0,25. Null if it is none, or not one alone.
      As everywhere in the course a comma before three digits separates thousands, and a single point is a decimal point. */
  function numberIn(text, unit) {
    const parts = /^([+-]?)(\d[\d.,\s'’_]*|\.\d+)(?:e([+-]?\d+))?\s*(\D*)$/i.exec(text.trim().replace("−", "-"));
    if (!parts) return null;
    const word = parts[4].trim().toLowerCase();
    const scale = UNITS[word] ?? (word && unit.toLowerCase().startsWith(word) ? 1 : null);
    let digits = parts[2].trim();
    if (/[\s'’_]/.test(digits)) {
      if (!/^\d{1,3}([\s'’_]\d{3})+([.,]\d+)?$/.test(digits)) return null;
      digits = digits.replace(/[\s'’_]/g, "").replace(",", ".");
    }
    const last = digits[Math.max(digits.lastIndexOf(","), digits.lastIndexOf("."))];
    const marks = digits.match(/[.,]/g) ?? [];
    const thousands = marks.length > 1 && marks.every((mark) => mark === last) ? last // 1,605,632 or 1.605.632
      : marks.length > 1 ? marks[0] // 1,605.5 or 1.605,5
      : last === "," && /^[1-9]\d{0,2},\d{3}$/.test(digits) ? "," : ""; // 1,605, but 0,605 and 28,5
    const whole = thousands && thousands !== last ? digits.slice(0, digits.lastIndexOf(last)) : digits;
    if (thousands && !GROUPS[thousands].test(whole)) return null;
    const size = Number(digits.replaceAll(thousands || "\0", "").replace(",", ".") + (parts[3] ? `e${parts[3]}` : ""));
    const value = Number(((parts[1] === "-" ? -1 : 1) * size * scale).toPrecision(12));
    return scale === null || !Number.isFinite(value) ? null : value;
  }

  const isNear = (value, wanted, tolerance) => Math.abs(value - wanted) <= (tolerance + 1e-9) * Math.abs(wanted);

  /** What is to be said of an answer: {right, texts}; right is undefined where there is no answer yet. */
  function judged(question, answer) {
    if (question.options) {
      const wrong = answer.filter((i) => !question.options[i].right);
      const right = question.options.flatMap((option, i) => (option.right ? [i] : []));
      const feedback = (places) => places.map((i) => (question.several ? `Answer ${i + 1}: ` : "") + question.options[i].feedback);
      if (!answer.length) return { texts: [question.several ? "Tick what is right first." : "Choose an answer first."] };
      if (wrong.length) return { right: false, texts: feedback(wrong) };
      if (answer.length < right.length) return { right: false, texts: ["What you ticked is right, and there is more."] };
      return { right: true, texts: feedback(right) };
    }
    const value = numberIn(answer, question.unit);
    if (value === null) return { texts: ["Write one number, such as 1,605,632 or 1605632, 0.25, or 1.6 M."] };
    if (isNear(value, question.answer, question.tolerance)) return { right: true, texts: [question.right] };
    const known = question.wrong.find((wrong) => isNear(value, wrong.value, question.tolerance));
    if (known) return { right: false, texts: [known.feedback] };
    const text = Number.isInteger(value) && count(value) !== answer.trim() ? count(value) : String(value); // a lone comma: 1605
    const read = [text, String(value)].includes(answer.trim()) ? [] : [`(Read as ${text}.)`];
    const near = isNear(value, question.answer, 0.005);
    return { right: false, texts: [...read, near ? "That is near; the exact number is asked for." : question.otherwise] };
  }

  /** Nodes of a text with `code`. */
  const rich = (text) => text.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part));

  /** What the reader answered earlier, by question, and a way to keep it; a sandboxed frame has no storage. */
  function memory(name) {
    const key = `course-quiz ${name}`;
    try {
      const known = JSON.parse(localStorage.getItem(key) ?? "{}");
      localStorage.setItem(key, JSON.stringify(known));
      return { known, lasts: true, keep: (answers) => localStorage.setItem(key, JSON.stringify(answers)) };
    } catch { // none, or full
      return { known: {}, lasts: false, keep() {} };
    }
  }

  let made = 0;
  /** A question in its place: builds the fields from the item `place` and tells `changed()` when an answer was checked. */
  function field(question, place, number, changed) {
    const id = `course-quiz-${(made += 1)}`;
    const [asked, shown] = place.children;
    const mark = h("span", { class: "answered" }), status = h("div", { class: "feedback", role: "status" });
    const legend = h("legend", {}, `${number}. `, [...asked.childNodes], mark);
    const forget = () => { status.replaceChildren(); status.removeAttribute("data-right"); };
    const inputs = question.options
      ? question.options.map((_, i) => h("input", { type: question.several ? "checkbox" : "radio", name: id, id: `${id}-${i}`, onchange: forget }))
      : [h("input", { type: "text", inputmode: "decimal", autocomplete: "off", id: `${id}-0`, "aria-describedby": `${id}-unit`, oninput: forget,
        onkeydown: (event) => { if (event.key === "Enter") check(); } })];
    const options = question.options
      ? h("div", { class: "answers" }, inputs.map((input, i) =>
        h("div", {}, input, h("label", { for: input.id }, [...shown.children[i].childNodes]))))
      : h("div", { class: "entry" }, h("label", { for: inputs[0].id }, "Answer"), inputs[0], h("span", { id: `${id}-unit` }, rich(question.unit)));
    const given = () => (question.options ? inputs.flatMap((input, i) => (input.checked ? [i] : [])) : inputs[0].value);
    const one = { id: question.id, answer: null, right: false };
    function show(found) {
      const word = found.right === undefined ? [] : found.right ? ["✓", "Right:"] : ["✗", "Not yet:"];
      const lead = word.length ? [h("span", { "aria-hidden": "true" }, word[0]), " ", h("strong", {}, word[1]), " "] : [];
      status.replaceChildren(...found.texts.map((text, i) => h("p", {}, i === 0 ? lead : null, rich(text))));
      together(status);
      if (found.right === undefined) return; // no answer: the last one stands
      status.dataset.right = found.right;
      one.right ||= found.right; // counts on: a reader may look at the other options afterwards
      mark.textContent = found.right ? " ✓ answered right" : "";
    }
    function check() {
      const answer = given(), found = judged(question, answer);
      forget();
      show(found);
      if (found.right !== undefined) one.answer = answer;
      changed();
    }
    one.clear = () => {
      for (const input of inputs) question.options ? (input.checked = false) : (input.value = "");
      Object.assign(one, { answer: null, right: false });
      mark.textContent = "";
      forget();
    };
    /** Set the fields to what was kept; what does not fit the question, as it was changed since, counts as nothing. */
    one.restore = (kept) => {
      const fits = question.options ? Array.isArray(kept?.answer) && kept.answer.every((i) => inputs[i]) : typeof kept?.answer === "string";
      if (!fits) return;
      one.right = kept.right === true;
      one.answer = kept.answer;
      if (question.options) for (const i of kept.answer) inputs[i].checked = true;
      else inputs[0].value = kept.answer;
      show(judged(question, kept.answer));
    };
    const button = h("button", { type: "button", onclick: check }, "Check");
    button.setAttribute("aria-label", `Check question ${number}`);
    one.node = h("li", {}, h("fieldset", { "data-question": question.id }, legend, options, button, status));
    return one;
  }

  customElements.define("course-quiz", class extends HTMLElement {
    connectedCallback() {
      if (this.started) return;
      if (document.readyState === "loading") { // the questions may not be read yet
        document.addEventListener("DOMContentLoaded", () => this.connectedCallback(), { once: true });
        return;
      }
      this.started = true;
      const written = [...this.childNodes].map((node) => node.cloneNode(true));
      try {
        this.start();
      } catch (problem) {
        this.replaceChildren(...written); // questions alone are better than half a quiz
        throw problem;
      }
    }

    start() {
      const { name, questions } = JSON.parse(atob(this.dataset.quiz));
      const list = this.querySelector("ol"), store = memory(name);
      const score = h("p", { class: "score", role: "status" });
      const tell = () => {
        const right = fields.filter((one) => one.right).length;
        const where = store.lasts ? "on this device only" : "kept until you leave this page";
        score.textContent = `${right} of ${fields.length} answered right, ${where}.`;
      };
      const keep = () => {
        const checked = fields.filter((one) => one.answer !== null);
        tell();
        store.keep(Object.fromEntries(checked.map(({ id, answer, right }) => [id, { answer, right }])));
      };
      const fields = questions.map((question, i) => field(question, list.children[i], i + 1, keep));
      for (const one of fields) one.restore(store.known?.[one.id]);
      const clear = h("button", { type: "button", onclick: () => { for (const one of fields) one.clear(); keep(); } }, "Clear my answers");
      list.replaceWith(h("ol", {}, fields.map((one) => one.node)), h("div", { class: "end" }, score, clear));
      this.addEventListener("focusin", (event) => { // JupyterLab leaves the keys to what says so itself
        event.target.dataset.lmSuppressShortcuts = "true";
      });
      tell();
      together(this);
      this.classList.add("live");
    }
  });
})();
