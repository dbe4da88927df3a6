// Streamed text and the status line, in one small module. The model holds the content; every view paints from it.
// This file travels with every widget: full-line comments and indentation are taken out before.

const append = (parent, tag, properties) => parent.appendChild(Object.assign(document.createElement(tag), properties));

// Only what differs is written, so that a reader's selection and a screen reader's attention stay where they are.
const write = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

const apply = (c, [op, a, b]) => {
  if (op === "t") c.tail += a;
  else if (op === "s") Object.assign(c, { status: a, began: performance.now() - a.since * 1000 });
  else {
    const block = document.createElement(op === "h" ? "template" : "p");
    // sanitised in the kernel
    if (op === "h") block.innerHTML = a;
    else block.textContent = c.tail.slice(0, a).replace(/\n+$/, "");
    c.tail = c.tail.slice(op === "h" ? b : a);
    c.blocks.push(block.content || block);
    for (const view of c.views) view.add(block.content || block);
  }
};

const restore = (c, { n, snapshot: { html, tail, status } }) => {
  Object.assign(c, { n, blocks: [], tail: "", asked: false });
  for (const view of c.views) view.clear();
  if (html) apply(c, ["h", html, 0]);
  if (status) apply(c, ["s", status]);
  c.tail = tail || "";
};

const ask = (model, c) => {
  if (!c.asked) model.send({ type: "hello", n: c.n });
  c.asked = true;
};

const paint = (c) => {
  c.frame ||= requestAnimationFrame(() => {
    c.frame = 0;
    for (const view of c.views) view.paint();
  });
};

const textView = (c, el) => {
  const tail = append(el, "div", { className: "nbg-tail" });
  const text = tail.appendChild(new Text());
  const view = {
    // once, and never touched again: a reader's selection stays
    add: (block) => tail.before(block.cloneNode(true)),
    clear: () => el.replaceChildren(tail),
    paint() {
      // code that is still being written shows without its fences
      const code = /^```[^`\n]*(\n|$)/.exec(c.tail);
      const shown = (code ? c.tail.slice(code[0].length).replace(/\n`+\s*$/, "") : c.tail).trimEnd();
      tail.classList.toggle("nbg-code", code);
      if (shown.startsWith(text.data)) text.appendData(shown.slice(text.length));
      else text.data = shown;
    },
  };
  c.blocks.forEach(view.add);
  return view;
};

const statusView = (c, el, model) => {
  const badge = append(el, "b");
  const text = append(el, "span", { role: "status" });
  const clock = append(el, "span", { role: "timer" });
  const button = append(el, "button", {
    onclick() {
      c.stopping = true;
      model.send({ type: "stop" });
      paint(c);
    },
  });
  return {
    add() {},
    clear() {},
    paint() {
      const { busy, text: words = "", badge: label = "" } = c.status;
      write(badge, label);
      write(text, words);
      // counts that change all the time are not read out before the end
      text.ariaBusy = !!busy;
      write(clock, busy ? "· " + Math.floor((performance.now() - c.began) / 1000) + " s" : "");
      write(button, c.stopping ? "stopping…" : "■ Stop");
      button.ariaLabel = c.stopping ? "Stopping this answer" : "Stop this answer";
      button.disabled = c.stopping;
      // also until something is known
      button.hidden = !busy;
    },
  };
};

// anywidget hands `initialize` and `render` different wrappers of one model: what they share lives in this closure.
export default () => {
  const c = { n: 0, blocks: [], tail: "", status: {}, stopping: false, views: new Set() };
  return {
    initialize({ model }) {
      model.on("msg:custom", ({ n, ops, snapshot }) => {
        if (snapshot) {
          // what another page asked for is no news here
          if (c.asked || n !== c.n) restore(c, { n, snapshot });
        } else if (n === c.n + 1) {
          c.n = n;
          for (const op of ops) apply(c, op);
        } else if (n > c.n) ask(model, c);
        paint(c);
      });
      ask(model, c);
    },
    render({ model, el }) {
      const status = model.get("role") === "status";
      el.classList.add("nbg-live", status ? "nbg-status" : "jp-RenderedHTMLCommon");
      const view = (status ? statusView : textView)(c, el, model);
      c.views.add(view);
      view.paint();
      const clock = status && setInterval(view.paint, 1000);
      return () => {
        clearInterval(clock);
        c.views.delete(view);
      };
    },
  };
};
