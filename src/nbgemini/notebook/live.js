// Streamed text and the status line, in one small module. The model holds the content; every view paints from it.
// This file travels with every widget, without its indentation, its comment lines and what is `only` for other roles.

const create = (tag, props) => Object.assign(document.createElement(tag), props);

// Only what differs is written, so that a reader's selection and a screen reader's attention stay where they are.
const write = (node, text = "") => {
  if (node.textContent !== text) node.textContent = text;
};

// Called once for every model. `initialize` and `render` get different wrappers of it: what they share lives in this closure.
export default () => {
  const views = new Set();
  // The number of the last message, finished blocks, the text still growing, the status fields and when the stream began.
  let seen = 0, blocks = [], tail = "", status = {}, began, asked, stopping, frame;

  const apply = ([op, a, units = a]) => {
    if (op === "t") tail += a;
    else if (op === "s") {
      status = a;
      began = Date.now() / 1000 - a.since;
    } else {
      // the HTML was sanitised in the kernel
      blocks.push(op === "p" ? create("p", { textContent: tail.slice(0, units).trimEnd() }) : create("template", { innerHTML: a }));
      tail = tail.slice(units);
    }
  };

  const restore = (all) => {
    asked = false;
    blocks = [];
    if (all.html) apply(["h", all.html, 0]);
    if (all.status) apply(["s", all.status]);
    tail = all.tail || "";
  };

  const paint = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      for (const view of views) view.paint();
    });
  };

  // only answer data
  const copyButton = (el) => {
    // its label is no text of the page, so that it is never copied itself
    const button = create("button", {
      ariaLabel: "Copy this answer",
      value: "Copy",
      async onclick() {
        try {
          await navigator.clipboard.writeText(el.innerText);
        } catch {
          // there is none here, or no leave to use it
          getSelection().selectAllChildren(el);
          document.execCommand("copy");
        }
        button.value = "Copied";
        setTimeout(() => (button.value = "Copy"), 1000);
      },
    });
    return button;
  };

  // only thought
  // ipywidgets' accordion knows no keyboard
  const useKeys = (el) => {
    const header = el.closest(".jupyter-widget-Collapse")?.firstChild;
    if (header)
      Object.assign(header, {
        role: "button",
        tabIndex: 0,
        ariaExpanded: !el.closest(".lm-mod-hidden"),
        onclick: paint,
        onkeydown(event) {
          if (/^( |Enter)$/.test(event.key)) {
            event.preventDefault();
            header.click();
          }
        },
      });
  };

  // only answer thought data
  const textView = (el, model) => {
    const isAnswer = model.get("role") !== "thought";
    const text = new Text();
    const rest = create("div", { className: "nbg-tail" });
    rest.append(text);
    el.append(rest);
    if (isAnswer) el.append(copyButton(el));
    let painted, number;
    return {
      paint() {
        if (painted !== blocks) {
          while (rest.previousSibling) rest.previousSibling.remove();
          painted = blocks;
          number = 0;
        }
        // once, and never touched again: a reader's selection stays
        for (; number < blocks.length; number++) {
          const node = (blocks[number].content || blocks[number]).cloneNode(true);
          // only data
          // a row goes into the table before it
          const table = rest.previousSibling;
          if (node.firstChild?.tagName === "TR" && table?.tBodies) table.tBodies[0].append(node);
          else
          // only answer thought data
          rest.before(node);
        }
        let shown = tail.trimEnd();
        // only data
        rest.classList.add("nbg-code");
        // only answer thought
        // code that is still being written shows without its fences
        const fence = /^```[^`\n]*(\n|$)/.exec(shown);
        if (fence) shown = shown.slice(fence[0].length).replace(/\n`+$/, "");
        rest.classList.toggle("nbg-code", fence);
        // only answer thought data
        if (shown.startsWith(text.data)) text.appendData(shown.slice(text.length));
        else text.data = shown;
        if (!isAnswer) useKeys(el);
      },
    };
  };

  // only status
  const statusView = (el, model) => {
    const badge = create("b");
    const text = create("span", { role: "status" });
    const clock = create("span", { role: "timer" });
    const button = create("button", {
      ariaLabel: "Stop this answer",
      onclick() {
        stopping = true;
        model.send({ type: "stop" });
        paint();
      },
    });
    el.append(badge, text, clock, button);
    return {
      paint() {
        const { busy } = status;
        write(badge, status.badge);
        write(text, status.text);
        // counts that change all the time are read out at the end only
        text.ariaBusy = busy;
        write(clock, busy ? `· ${Math.floor(Date.now() / 1000 - began)} s` : "");
        write(button, stopping ? "stopping…" : "■ Stop");
        button.disabled = stopping;
        // hidden also until something is known
        button.hidden = !busy;
      },
    };
  };

  // only card
  const cardView = (el, model) => {
    const box = create("div");
    const text = create("pre", { className: "nbg-tail" });
    const row = create("div");
    const clock = create("time");
    el.append(box, text, row);
    let painted;
    return {
      paint() {
        // arguments that still come
        write(text, tail);
        write(clock, status.busy ? `${Math.floor(Date.now() / 1000 - began)} s` : "");
        if (painted === blocks) return;
        painted = blocks;
        const open = box.querySelector("details")?.open;
        const focused = el.contains(document.activeElement);
        box.replaceChildren(...blocks.map((block) => block.content.cloneNode(true)));
        // what its reader has unfolded stays so
        if (open) box.querySelector("details").open = true;
        row.replaceChildren(
          ...(status.ask || []).map(([verdict, textContent, title, ariaLabel = textContent]) =>
            create("button", { textContent, title, ariaLabel, onclick: () => model.send({ type: "verdict", verdict }) }),
          ),
          clock,
        );
        // who came by keyboard stays on the card, but on nothing that could be pressed by mistake
        if (focused) box.querySelector("summary").focus();
      },
    };
  };

  // everyone
  return {
    initialize({ model }) {
      const ask = (type) => {
        if (!asked) model.send({ type });
        asked = true;
      };
      model.on("msg:custom", ({ n, ops, snapshot: all }) => {
        // a snapshot that only another page asked for is no news here
        if (all ? asked || n !== seen : n === seen + 1) {
          seen = n;
          if (all) restore(all);
          else ops.forEach(apply);
          paint();
        }
        // some were lost on the way
        else if (n > seen) ask("lost");
      });
      ask("hello");
    },
    render({ model, el }) {
      const role = model.get("role");
      const isStatus = role === "status";
      el.classList.add("nbg-live", `nbg-${role}`, isStatus ? "nbg-live" : "jp-RenderedHTMLCommon");
      const view = (isStatus ? statusView : role === "card" ? cardView : textView)(el, model);
      views.add(view);
      view.paint();
      // once more when it stands in the page
      paint();
      const clock = (isStatus || role === "card") && setInterval(view.paint, 1000);
      return () => {
        clearInterval(clock);
        views.delete(view);
        if (isStatus && !views.size) model.send({ type: "gone" });
      };
    },
  };
};
