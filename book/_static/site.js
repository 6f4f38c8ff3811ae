/* Left and right arrow turn the page, as long as nothing on it has the keyboard. */
document.addEventListener("keydown", (event) => {
  const busy = document.activeElement && document.activeElement !== document.body;
  if (busy || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = { ArrowLeft: "a.left-prev", ArrowRight: "a.right-next" }[event.key];
  if (link) document.querySelector(link)?.click();
});

/* A box that is wider than its column says on which side it goes on, and takes the keyboard, so that arrow keys move it. */
(() => {
  const BOXES = "pre, div.math, .pst-scrollable-table-container, .cell_output .text_html, .explorable .scroll, .indextable, .genindextable";
  const article = document.querySelector(".bd-article");
  if (!article) return;
  const mark = (box) => {
    const hidden = box.scrollWidth - box.clientWidth, scrolls = hidden > 1;
    const goesOn = hidden > 8; // else it is the padding alone
    box.classList.toggle("goes-on", goesOn);
    box.classList.toggle("goes-on-before", goesOn && box.scrollLeft > 1);
    box.classList.toggle("goes-on-after", goesOn && hidden - box.scrollLeft > 1);
    if (scrolls) box.tabIndex = 0;
    else if (!box.matches(":focus")) box.removeAttribute("tabindex");
  };
  const known = new WeakSet();
  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => mark(target.closest(BOXES) ?? target)));
  const find = () => article.querySelectorAll(BOXES).forEach((box) => {
    if (known.has(box)) return;
    known.add(box);
    sizes.observe(box);
    if (box.firstElementChild) sizes.observe(box.firstElementChild); // a table, an equation: they can grow inside
  });
  find();
  new MutationObserver(find).observe(article, { childList: true, subtree: true });
  document.addEventListener("scroll", ({ target }) => { if (known.has(target)) mark(target); }, { capture: true, passive: true });
})();
