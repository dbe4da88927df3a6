// The page's part: streamed text, the status line and tool cards. A page gets this module once; every widget starts from it.
// The model holds the content; every view paints from it. HTML comes from the kernel, sanitised there; all else is text.

const create = (tag, props) => Object.assign(document.createElement(tag), props);

// Only what differs is written, so that a selection and a screen reader's attention stay where they are.
const write = (node, text = "") => {
  if (node.textContent !== text) node.textContent = text;
};

const words = (...parts) => parts.filter(Boolean).join(" · ");

// ---- The document. JupyterLab and Notebook let a widget see the one in which it stands; elsewhere there are no cells here.

const VIEW = "application/vnd.jupyter.widget-view+json";

const codeCells = (manager) => {
  const cells = manager?.context?.model?.cells;
  return cells?.[Symbol.iterator] ? [...cells].filter((cell) => cell.outputs) : [];
};
const outputsOf = ({ outputs }) => Array.from({ length: outputs.length }, (_, n) => outputs.get(n));
const viewIn = (output) => output.data?.[VIEW]?.model_id;
const htmlIn = (output) => [output.data?.["text/html"] || ""].flat().join("");

const cellsWith = (manager, ids) => codeCells(manager).filter((cell) => outputsOf(cell).some((output) => ids.includes(viewIn(output))));

// Let the document hold these outputs of one reply, in this order and nowhere else, where it has lost or missed some.
const mend = (manager, { cell: id, ids, outputs }) => {
  const texts = outputs.map(htmlIn);
  const isOurs = (output) => ids.includes(viewIn(output)) || texts.includes(htmlIn(output));
  const isSame = (output, n) => viewIn(output) === viewIn(outputs[n]) && htmlIn(output) === texts[n];
  const cells = cellsWith(manager, ids);
  // a page that was never saved has the cell, and nothing below it
  if (!cells.length) cells.push(...codeCells(manager).filter((cell) => cell.id === id && !cell.outputs.length));
  for (const cell of cells) {
    const ours = outputsOf(cell).filter(isOurs);
    if (ours.length === outputs.length && ours.every(isSame)) continue;
    const now = cell.outputs.toJSON();
    const first = Math.max(0, now.findIndex(isOurs));
    const others = now.filter((output) => !isOurs(output));
    // as after a run: what stands there is the kernel's
    if (!now.length) cell.trusted = true;
    cell.outputs.fromJSON([...others.slice(0, first), ...outputs, ...others.slice(first)]);
  }
};

// What each of our models shows, as HTML that needs no kernel; known by a key, since anywidget does not tell a model's id.
const shownBy = new Map();

// What a widget shows, with all that is inside it.
const frozen = (model) => {
  const own = shownBy.get(model.get("key"));
  if (own) return own();
  const inside = (model.get("children") || []).map(frozen).join("");
  if (!(model.get("titles") || model.get("_titles"))) return inside;
  const details = create("details", { className: "nbgemini-thought", innerHTML: inside });
  details.prepend(create("summary", { textContent: "Thoughts, as far as they came" }));
  return details.outerHTML;
};

// Keep in the document what the page shows, in the place of widgets that no kernel knows any more.
const keep = (manager) => {
  for (const { outputs } of codeCells(manager))
    outputs.toJSON().forEach(async (output, n) => {
      if (!viewIn(output) || !htmlIn(output).includes("nbgemini-live")) return;
      const html = frozen(await manager.get_model(viewIn(output)));
      const plain = create("template", { innerHTML: html }).content.textContent;
      outputs.set(n, { ...output, data: { "text/html": html, "text/plain": plain } });
    });
};

// ---- Views: each paints what its model holds into an element.

const copyButton = (el) => {
  // its label is no text of the page, so that it is never copied itself
  const button = create("button", {
    ariaLabel: "Copy this answer",
    value: "Copy",
    async onclick() {
      try {
        await navigator.clipboard.writeText(el.innerText);
      } catch {
        // there is none here, or it may not be used
        getSelection().selectAllChildren(el);
        document.execCommand("copy");
      }
      button.value = "Copied";
      setTimeout(() => (button.value = "Copy"), 1000);
    },
  });
  return button;
};

// The header of ipywidgets' accordion knows no keyboard.
const useKeys = (el, paint) => {
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

const textView = (el, { state, role, paint }) => {
  const text = new Text();
  const rest = create("div", { className: "nbg-tail" });
  rest.append(text);
  el.append(rest);
  if (role !== "thought") el.append(copyButton(el));
  let painted, number;
  return () => {
    if (painted !== state.blocks) {
      while (rest.previousSibling) rest.previousSibling.remove();
      painted = state.blocks;
      number = 0;
    }
    // once, and never touched again: a selection stays
    for (; number < painted.length; number++) {
      const node = (painted[number].content || painted[number]).cloneNode(true);
      // a row of data goes into the table before it
      const table = role === "data" && node.firstChild?.tagName === "TR" && rest.previousSibling;
      if (table?.tBodies) table.tBodies[0].append(node);
      else rest.before(node);
    }
    let shown = state.tail.trimEnd();
    // code that is still being written shows without its fences
    const fence = role !== "data" && /^```[^`\n]*(\n|$)/.exec(shown);
    if (fence) shown = shown.slice(fence[0].length).replace(/\n`+$/, "");
    rest.classList.toggle("nbg-code", role === "data" || !!fence);
    el.classList.toggle("nbg-ended", state.ended);
    if (shown.startsWith(text.data)) text.appendData(shown.slice(text.length));
    else text.data = shown;
    if (role === "thought") useKeys(el, paint);
  };
};

const statusView = (el, { state, send, paint }) => {
  const badge = create("b");
  const text = create("span", { role: "status" });
  const clock = create("span", { role: "timer" });
  const button = create("button", {
    ariaLabel: "Stop this answer",
    onclick() {
      state.stopping = true;
      send("stop");
      paint();
    },
  });
  el.append(badge, text, clock, button);
  return () => {
    const { busy } = state.status;
    write(badge, state.status.badge);
    write(text, state.status.text);
    // counts that change all the time are read out at the end only
    text.ariaBusy = busy;
    write(clock, busy ? `· ${Math.floor(Date.now() / 1000 - state.began)} s` : "");
    write(button, state.stopping ? "stopping…" : "■ Stop");
    button.disabled = state.stopping;
    // hidden also until something is known
    button.hidden = !busy;
  };
};

const SETTLED = 500; // milliseconds that a button stands still before a click on it counts

// Nobody allows what has not been in view: whatever scrolls has to be scrolled to its end.
const whenSeen = (boxes, call) => {
  const unseen = new Set(boxes);
  const look = () => {
    for (const box of unseen)
      if (box.clientHeight && box.scrollTop + box.clientHeight >= box.scrollHeight - 2 && box.scrollWidth <= box.clientWidth + 2)
        unseen.delete(box);
    if (!unseen.size) call();
  };
  for (const box of boxes) box.onscroll = look;
  return look;
};

const cardView = (el, { state, send }) => {
  const box = create("div");
  const hint = create("small", { textContent: "Scroll to the end of the arguments to allow the call.", hidden: true });
  const text = create("pre", { className: "nbg-tail" });
  const row = create("div");
  const clock = create("time");
  el.append(box, text, hint, row);
  let painted, ended, place, moved = 0, look;
  // where the buttons stand on the page, looked at often enough to notice that they have just moved
  const watch = () => {
    const { top, left } = row.getBoundingClientRect();
    if (place !== `${top} ${left}`) moved = performance.now();
    place = `${top} ${left}`;
    return performance.now() - moved >= SETTLED;
  };
  // `detail` counts the clicks of a pointer: keys press what has the focus, wherever it stands, and stopping is never wrong
  const answer = (verdict, { detail }) => {
    if (!watch() && detail && verdict !== "stop") return;
    // it keeps its height, so that nothing jumps under the pointer
    el.style.minHeight = `${el.offsetHeight}px`;
    send("verdict", { verdict });
  };
  return () => {
    watch();
    look?.();
    // arguments that still come
    write(text, state.tail);
    write(clock, state.status.busy ? `${Math.floor(Date.now() / 1000 - state.began)} s` : "");
    if (painted === state.blocks && ended === state.ended) return;
    painted = state.blocks;
    ended = state.ended;
    const open = box.querySelector("details")?.open;
    const focused = el.contains(document.activeElement);
    box.replaceChildren(...painted.map((block) => block.content.cloneNode(true)));
    // what has been unfolded stays so
    if (open) box.querySelector("details").open = true;
    row.replaceChildren(
      ...(state.status.ask || []).map(([verdict, textContent, title, ariaLabel = textContent]) =>
        create("button", { textContent, title, ariaLabel, value: verdict, onclick: (event) => answer(verdict, event) }),
      ),
      clock,
    );
    const allow = [...row.querySelectorAll("[value=once], [value=always]")];
    for (const button of allow) button.disabled = true;
    hint.hidden = !allow.length;
    look = whenSeen([...box.querySelectorAll("pre")], () => {
      for (const button of allow) button.disabled = false;
      hint.hidden = true;
    });
    look();
    if (!state.status.ask?.length && !state.status.busy) el.style.minHeight = "";
    // who came by keyboard stays on the card, but on nothing that could be pressed by mistake
    if (focused) box.querySelector("summary").focus();
  };
};

// ---- One model.

const newState = () => ({
  blocks: [], // finished ones, each an element
  tail: "", // the text still growing
  status: {}, // the fields of a line or a card
  began: 0, // seconds since the epoch, by this page's clock
  stopping: false,
  over: null, // once all is at rest: the ids of the reply's widgets
  ended: false, // whether the kernel has gone
});

// Operations are those of the kernel's `Deltas`, and "s" (fields), "o" (over).
const apply = (state, [op, a, units = a]) => {
  if (op === "t") state.tail += a;
  else if (op === "o") state.over = a;
  else if (op === "s") {
    state.status = a;
    state.began = Date.now() / 1000 - a.since;
  } else {
    const plain = op === "p" && create("p", { textContent: state.tail.slice(0, units).trimEnd() });
    state.blocks.push(plain || create("template", { innerHTML: a }));
    state.tail = state.tail.slice(units);
  }
};

const restore = (state, all) => {
  state.blocks = [];
  if (all.html) apply(state, ["h", all.html, 0]);
  if (all.status) apply(state, ["s", all.status]);
  if (all.over) apply(state, ["o", all.over]);
  state.tail = all.tail || "";
};

// The text that still grew stands as it is: nothing in it is markup, and no formula.
const asHtml = ({ blocks, tail, status }, role) => {
  const root = create("div", { className: `nbgemini-${{ card: "tool", data: "answer" }[role] || role}` });
  root.append(...blocks.map((block) => (block.content || block).cloneNode(true)));
  if (tail.trim()) root.append(create("pre", { textContent: tail.trim() }));
  if (status.text) root.append(create("small", { textContent: words(status.badge, status.text) }));
  return role === "thought" ? root.innerHTML : root.outerHTML;
};

// Called once for every model. `initialize` and `render` get different wrappers of it: what they share lives in this closure.
export default () => {
  const state = newState();
  const views = new Set();
  let seen = 0, asked, frame, rendered = 0, settle;

  const paint = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      for (const view of views) view();
    });
  };

  return {
    initialize({ model }) {
      const manager = model.widget_manager;
      const role = model.get("role");
      const ask = (type) => {
        if (!asked) model.send({ type });
        asked = true;
      };
      // the kernel was restarted, has died, or another one was chosen
      const end = () => {
        if (state.over || state.ended) return;
        state.ended = true;
        if ("since" in state.status) {
          const text = words(state.status.text, "cut off: the kernel ended; what came is kept");
          state.status = { ...state.status, busy: false, ask: [], text };
        }
        for (const view of views) view();
        if (role === "status") keep(manager);
      };
      model.on("msg:custom", ({ n, ops, snapshot, document: whole }) => {
        // what only another page asked for is no news here
        if (whole && asked) mend(manager, whole);
        if (snapshot ? asked || n !== seen : ops && n === seen + 1) {
          seen = n;
          if (snapshot) restore(state, snapshot);
          else for (const op of ops) apply(state, op);
          paint();
        }
        // some were lost on the way
        else if (ops && n > seen) return ask("lost");
        if (snapshot || whole) asked = false;
        // not at once: another page of the same document may be about to mend it
        if (state.over && !whole) setTimeout(settle, 500);
      });
      // Once all is at rest: a document that has not taken it in is mended, and the kernel learns when nobody needs its widgets.
      settle = () => {
        if (!state.over || state.ended || role !== "status") return;
        if (cellsWith(manager, state.over).length) ask("outputs");
        else if (!views.size) model.send({ type: "gone" });
      };
      shownBy.set(model.get("key"), () => asHtml(state, role));
      model.on("comm_live_update", end);
      const session = manager?.context?.sessionContext;
      session?.kernelChanged?.connect(end);
      session?.statusChanged?.connect((_, word) => /restart|dead|terminat/.test(word) && end());
      ask("hello");
    },
    render({ model, el }) {
      const role = model.get("role");
      const isStatus = role === "status";
      const send = (type, more) => state.ended || model.send({ type, ...more });
      el.classList.add("nbg-live", `nbg-${role}`, isStatus ? "nbg-live" : "jp-RenderedHTMLCommon");
      const view = { status: statusView, card: cardView }[role] || textView;
      const paintView = view(el, { state, role, send, paint });
      views.add(paintView);
      paintView();
      // once more when it stands in the page
      paint();
      // Its output was made anew, as when its cell is moved: such a page knows no displays any more.
      if (++rendered > 1 && !isStatus) setTimeout(() => views.size === 1 && send("moved"));
      const clock = view !== textView && setInterval(paintView, isStatus ? 1000 : 100);
      return () => {
        clearInterval(clock);
        views.delete(paintView);
        if (isStatus) setTimeout(settle, 500);
      };
    },
  };
};
