// Makes the page of a report answer: arms are switched on and off, and figures
// tell the point under the pointer. Without it the page shows everything.
"use strict";
(() => {
  const known = JSON.parse(document.getElementById("data").textContent);
  const off = new Set(); // places of arms that are hidden

  function show() {
    for (const element of document.querySelectorAll("[data-arm]")) {
      element.classList.toggle("off", off.has(element.dataset.arm));
    }
    for (const button of document.querySelectorAll("[data-switch]")) {
      button.setAttribute("aria-pressed", !off.has(button.dataset.switch));
    }
    tell(null);
  }

  for (const bar of document.querySelectorAll(".arms")) {
    bar.hidden = false;
    bar.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      const arm = button.dataset.switch;
      if (arm === undefined) off.clear();
      else if (!off.delete(arm)) off.add(arm);
      show();
    });
  }

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.append(tip);
  const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  ring.setAttribute("class", "ring");
  ring.setAttribute("r", "6");

  // Places of a line's points in its figure: of its markers, or its vertices.
  function places(group) {
    const markers = [...group.querySelectorAll("use")];
    if (markers.length) {
      return markers.map((mark) => [mark.x.baseVal.value, mark.y.baseVal.value]);
    }
    const path = group.querySelector("path").getAttribute("d");
    return [...path.matchAll(/[ML] (\S+) (\S+)/g)].map((m) => [+m[1], +m[2]]);
  }

  function pointsOf(figure) {
    const points = [];
    const traces = known[figure.dataset.figure];
    for (const group of figure.querySelectorAll("[data-trace]")) {
      const trace = traces[group.dataset.trace];
      if (!trace) continue;
      const line = places(group);
      if (line.length !== trace.points.length) continue;
      line.forEach(([x, y], i) =>
        points.push({ x, y, group, i, text: textOf(trace, i) })
      );
    }
    return points;
  }

  function textOf(trace, i) {
    const lines = [`${trace.arm}: ${trace.label}`];
    trace.axes.forEach((name, axis) => {
      if (name) lines.push(`${name}: ${trace.points[i][axis]}`);
    });
    return lines.join("\n");
  }

  function tell(svg, point) {
    tip.hidden = !svg;
    ring.remove();
    if (!svg) return;
    ring.setAttribute("cx", point.x);
    ring.setAttribute("cy", point.y);
    svg.append(ring);
    tip.textContent = point.text;
    const at = new DOMPoint(point.x, point.y).matrixTransform(
      svg.getScreenCTM()
    );
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(8, Math.min(at.x + 14, room))}px`;
    const above = at.y - tip.offsetHeight - 12;
    tip.style.top = `${above < 8 ? at.y + 16 : above}px`;
  }

  for (const figure of document.querySelectorAll("[data-figure]")) {
    const svg = figure.querySelector("svg");
    const points = pointsOf(figure);
    if (!points.length) continue;
    const shown = () => points.filter((p) => !p.group.closest(".off"));
    let current = null;

    const follow = (event) => {
      const pointer = new DOMPoint(event.clientX, event.clientY);
      const at = pointer.matrixTransform(svg.getScreenCTM().inverse());
      const far = (p) => Math.hypot(p.x - at.x, p.y - at.y);
      current = shown().reduce(
        (best, p) => (best && far(best) <= far(p) ? best : p), null
      );
      if (current) tell(svg, current);
    };
    figure.addEventListener("pointermove", follow);
    figure.addEventListener("pointerdown", follow);
    figure.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch") tell(null); // a finger has to lift
    });

    // Left and right along a line, up and down to the next one.
    figure.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: -1, ArrowDown: 1 };
      const step = steps[event.key];
      const here = shown();
      if (event.key === "Escape") tell(null);
      if (!step || !here.length) return;
      event.preventDefault();
      if (!here.includes(current)) {
        current = here[0];
      } else if (/Right|Left/.test(event.key)) {
        const next = points[points.indexOf(current) + step];
        if (next && next.group === current.group) current = next;
      } else {
        const groups = [...new Set(here.map((p) => p.group))];
        const place = groups.indexOf(current.group) + step;
        const group = groups.at(place % groups.length);
        const own = here.filter((p) => p.group === group);
        current = own[Math.min(current.i, own.length - 1)];
      }
      tell(svg, current);
    });
    figure.addEventListener("focusout", () => tell(null));
  }
  addEventListener("scroll", () => tell(null), { passive: true });

  // Paper unfolds nothing.
  const folded = [];
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details:not([open])")) {
      details.open = true;
      folded.push(details);
    }
  });
  addEventListener("afterprint", () => {
    for (const details of folded.splice(0)) details.open = false;
  });
})();
