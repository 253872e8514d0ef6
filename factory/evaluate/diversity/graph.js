// Pan and zoom of the picture of the graph, by its viewBox. Without this script the picture stands still.
(() => {
  "use strict";
  const svg = document.querySelector("svg.graph");
  if (!svg) return;
  const [left, top, width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const DEEPEST = 24;
  const fingers = new Map();
  let zoom = 1, x = left, y = top, apart = 0;

  const show = () => {
    zoom = Math.min(DEEPEST, Math.max(1, zoom));
    x = Math.min(left + width - width / zoom, Math.max(left, x));
    y = Math.min(top + height - height / zoom, Math.max(top, y));
    svg.setAttribute("viewBox", `${x} ${y} ${width / zoom} ${height / zoom}`);
    svg.style.setProperty("--zoom", zoom);
    svg.dataset.deep = Math.min(3, Math.floor(Math.log2(zoom) + 1e-9));
    svg.classList.toggle("zoomed", zoom > 1);
    out.disabled = whole.disabled = zoom <= 1;
    closer.disabled = zoom >= DEEPEST;
  };
  const unit = () => width / zoom / svg.getBoundingClientRect().width;
  // Zooms so that what lies under (clientX, clientY) stays there.
  const zoomAt = (factor, clientX, clientY) => {
    const box = svg.getBoundingClientRect();
    const across = (clientX - box.left) / box.width, down = (clientY - box.top) / box.height;
    const before = zoom;
    zoom = Math.min(DEEPEST, Math.max(1, zoom * factor));
    x += across * width * (1 / before - 1 / zoom);
    y += down * height * (1 / before - 1 / zoom);
    show();
  };
  const zoomMiddle = (factor) => {
    const box = svg.getBoundingClientRect();
    zoomAt(factor, box.left + box.width / 2, box.top + box.height / 2);
  };
  const reset = () => { zoom = 1; x = left; y = top; show(); };

  const tools = document.createElement("div");
  tools.className = "tools";
  const button = (sign, does, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = sign;
    made.title = does;
    made.setAttribute("aria-label", does);
    made.addEventListener("click", act);
    tools.append(made);
    return made;
  };
  const closer = button("+", "Zoom in", () => zoomMiddle(1.6));
  const out = button("\u2212", "Zoom out", () => zoomMiddle(1 / 1.6));
  const whole = button("\u21ba", "Show the whole picture", reset);
  svg.parentElement.append(tools);
  for (const how of document.querySelectorAll(".how")) how.hidden = false;

  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;  // without a key the wheel scrolls the page
    event.preventDefault();
    zoomAt(Math.exp(-event.deltaY / 300), event.clientX, event.clientY);
  }, { passive: false });
  svg.addEventListener("dblclick", (event) => zoomAt(2, event.clientX, event.clientY));

  const middle = () => {
    const [a, b] = [...fingers.values()];
    return [(a.clientX + b.clientX) / 2, (a.clientY + b.clientY) / 2, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)];
  };
  svg.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event);
    if (zoom > 1 || fingers.size > 1) svg.setPointerCapture(event.pointerId);
    if (fingers.size === 2) apart = middle()[2];
  });
  svg.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) {
      const [clientX, clientY, now] = middle();
      if (apart) zoomAt(now / apart, clientX, clientY);
      apart = now;
    } else if (fingers.size === 1 && zoom > 1) {
      x -= (event.clientX - before.clientX) * unit();
      y -= (event.clientY - before.clientY) * unit();
      show();
    }
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
    svg.addEventListener(end, (event) => { fingers.delete(event.pointerId); apart = 0; });
  }

  svg.tabIndex = 0;
  svg.addEventListener("keydown", (event) => {
    const step = width / zoom / 8;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") zoomMiddle(1.6);
    else if (event.key === "-") zoomMiddle(1 / 1.6);
    else if (event.key === "0" || event.key === "Escape") reset();
    else if (moves[event.key] && zoom > 1) { x += moves[event.key][0]; y += moves[event.key][1]; show(); }
    else return;
    event.preventDefault();
  });
  addEventListener("beforeprint", reset);
  show();
})();
