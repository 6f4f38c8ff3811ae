/* Left and right arrow turn the page, as long as nothing on it has the keyboard. */
document.addEventListener("keydown", (event) => {
  const busy = document.activeElement && document.activeElement !== document.body;
  if (busy || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = { ArrowLeft: "a.left-prev", ArrowRight: "a.right-next" }[event.key];
  if (link) document.querySelector(link)?.click();
});
