// Streamed text and the status line, in one small module. The model holds the content; every view paints from it.

const fragmentOf = (html) => {
  const template = document.createElement("template");
  template.innerHTML = html; // sanitised in the kernel
  return template.content;
};
const paragraphOf = (text) => {
  const p = document.createElement("p");
  p.textContent = text;
  return p;
};

const apply = (c, [op, a, b]) => {
  if (op === "t") c.tail += a;
  if (op === "s") (c.status = a), (c.at = performance.now() - a.since * 1000);
  if (op === "h" || op === "p") {
    const units = op === "h" ? b : a;
    const node = op === "h" ? fragmentOf(a) : paragraphOf(c.tail.slice(0, units).replace(/\n+$/, ""));
    c.tail = c.tail.slice(units);
    c.nodes.push(node);
    for (const view of c.views) view.add(node);
  }
};

const paint = (c) => {
  if (c.frame) return;
  c.frame = requestAnimationFrame(() => {
    c.frame = 0;
    for (const view of c.views) view.paint();
  });
};

const hello = (model, c) => {
  if (c.asked) return;
  c.asked = true;
  model.send({ type: "hello" });
};

// anywidget hands `initialize` and `render` different wrappers of one model: what they share lives in this closure.
export default () => {
  // The content of one model: finished blocks, the tail still growing, and the status fields.
  const c = { n: 0, nodes: [], tail: "", status: {}, views: new Set() };
  return {
    initialize({ model }) {
      model.on("msg:custom", (m) => {
        if (m.snapshot) restore(c, m);
        else if (m.n === c.n + 1) {
          c.n = m.n;
          for (const op of m.ops) apply(c, op);
        }
        // something was lost on the way
        else if (m.n > c.n) hello(model, c);
        paint(c);
      });
      hello(model, c);
    },

    render({ model, el }) {
      const status = model.get("role") === "status";
      el.classList.add("nbg-live", ...(status ? ["nbg-status"] : ["jp-RenderedHTMLCommon"]));
      const view = status ? statusView(c, model, el) : textView(c, el);
      c.views.add(view);
      view.paint();
      return () => {
        view.stop?.();
        c.views.delete(view);
      };
    },
  };
};

const restore = (c, { n, snapshot: s }) => {
  Object.assign(c, { n, nodes: [], tail: "", asked: false });
  for (const view of c.views) view.clear();
  if (s.html) apply(c, ["h", s.html, 0]);
  if (s.status) apply(c, ["s", s.status]);
  c.tail = s.tail || "";
};

const textView = (c, el) => {
  const tail = el.appendChild(document.createElement("div"));
  tail.className = "nbg-tail";
  const text = tail.appendChild(document.createTextNode(""));
  const view = {
    add: (node) => tail.before(node.cloneNode(true)), // once, never touched again: a reader's selection stays
    clear: () => el.replaceChildren(tail),
    paint: () => {
      const shown = c.tail.trimEnd();
      tail.classList.toggle("nbg-code", shown.startsWith("```"));
      if (shown.startsWith(text.data)) text.appendData(shown.slice(text.length));
      else text.data = shown;
    },
  };
  c.nodes.forEach(view.add);
  return view;
};

const statusView = (c, model, el) => {
  el.setAttribute("role", "status");
  const [badge, text] = ["b", "span"].map((tag) => el.appendChild(document.createElement(tag)));
  const button = el.appendChild(document.createElement("button"));
  button.textContent = "■ Stop";
  button.setAttribute("aria-label", "Stop this answer");
  button.onclick = () => {
    button.disabled = true;
    button.textContent = "stopping…";
    model.send({ type: "stop" });
  };
  const paint = () => {
    const s = c.status;
    badge.textContent = s.badge || "";
    badge.hidden = !s.badge;
    const seconds = s.busy ? Math.floor((performance.now() - c.at) / 1000) + " s" : "";
    text.textContent = [s.text, seconds].filter(Boolean).join(" · ");
    // hidden also until something is known
    button.hidden = !s.busy;
  };
  const clock = setInterval(paint, 1000);
  return { add() {}, clear() {}, paint, stop: () => clearInterval(clock) };
};
