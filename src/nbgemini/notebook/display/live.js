// The page's part: streamed text, the status line and tool cards. A page gets this module once; every widget starts from it.
// The model holds the content; every view paints from it. HTML comes from the kernel, sanitised there; all else is text.

const create = (tag, props) => Object.assign(document.createElement(tag), props);

// Only what differs is written, so that a selection and a screen reader's attention stay where they are.
const write = (node, text = "") => {
  if (node.textContent !== text) node.textContent = text;
};

const words = (...parts) => parts.filter(Boolean).join(" · ");

const unpacked = (bytes) => new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).json();

// The stylesheet comes with this module.
export const addStyle = (textContent) => document.head.append(create("style", { textContent }));

// ---- The document. JupyterLab and Notebook let a widget see the one in which it stands; elsewhere there are no cells here.

const VIEW = "application/vnd.jupyter.widget-view+json";

const codeCells = (manager) => {
  const cells = manager?.context?.model?.cells;
  return cells?.[Symbol.iterator] ? [...cells].filter((cell) => cell.outputs) : [];
};
const outputsOf = ({ outputs }) => Array.from({ length: outputs.length }, (_, n) => outputs.get(n));
const viewIn = (output) => output.data?.[VIEW]?.model_id;
const htmlIn = (output) => [output.data?.["text/html"] || ""].flat().join("");

const keyOf = (output) => [viewIn(output), output.metadata?.nbgemini?.turn, htmlIn(output)].join(" ");

// Call once for all changes of a cell's outputs that come together.
const watch = (cell, look) => {
  let due;
  const hear = () => {
    due ||= setTimeout(() => {
      due = 0;
      if (!cell.isDisposed && look() === false) cell.outputs.changed.disconnect(hear);
    });
  };
  cell.outputs.changed.connect(hear);
};

// JupyterLab shows what other users insert at the end, wherever they did, and takes away what stands in the place of what they
// removed. So where a document is shared, what this page shows of our outputs follows it.
const followed = new WeakSet();
const follow = (manager) => {
  if (!manager?.context?.model?.collaborative) return;
  const ours = (outputs) => outputs.filter((output) => htmlIn(output).includes("nbgemini-")).map(keyOf).join();
  for (const cell of codeCells(manager)) {
    if (followed.has(cell)) continue;
    followed.add(cell);
    const look = () => {
      const shared = cell.sharedModel.getOutputs();
      if (ours(outputsOf(cell)) === ours(shared)) return;
      // what is repaired here is no news to the others
      cell.outputs.changed.disconnect(cell.onOutputsChange, cell);
      cell.outputs.fromJSON(shared);
      cell.outputs.changed.connect(cell.onOutputsChange, cell);
    };
    look();
    watch(cell, look);
  }
};

// Let the document hold these outputs of one reply, in this order and nowhere else, where it has lost or missed some.
// Pages that share it may add the same at the same time, and learn of it later: then each takes the later copies away, which are
// the same ones for all. What is missing is added by one page at a time, which asks the kernel `again` what that is.
const mend = (manager, { cell: id, filled, ids, outputs }, mayAdd, again) => {
  const keys = outputs.map(keyOf);
  const views = new Set(ids);
  const known = new Set(keys);
  const hasView = (output) => views.has(viewIn(output));
  const isOurs = (output) => hasView(output) || known.has(keyOf(output));
  const isWhole = (held) => held.filter(isOurs).map(keyOf).join() === keys.join();

  const dropCopies = (shared) => {
    const left = new Map();
    for (const key of keys) left.set(key, (left.get(key) || 0) + 1);
    const copies = shared.getOutputs().map((output, n) => {
      const more = left.get(keyOf(output));
      left.set(keyOf(output), more - 1);
      return more < 1 ? n : -1;
    });
    for (const n of copies.reverse()) if (n >= 0) shared.updateOutputs(n, n + 1, []);
    return shared.getOutputs();
  };

  for (const cell of codeCells(manager)) {
    const shows = outputsOf(cell).some(hasView);
    if (!shows && cell.id !== id) continue;
    const now = dropCopies(cell.sharedModel);
    // a page that was never saved has the cell, and nothing below it; one without our views that holds something has run again
    if (mayAdd && !isWhole(now) && (shows || !(filled || now.length))) {
      const first = Math.max(0, now.findIndex(isOurs));
      const others = now.filter((output) => !isOurs(output));
      // as after a run: what stands there is the kernel's
      if (!now.length) cell.trusted = true;
      cell.sharedModel.setOutputs([...others.slice(0, first), ...outputs, ...others.slice(first)]);
    }
    watch(cell, () => {
      const held = dropCopies(cell.sharedModel);
      if (held.some(hasView)) again();
      return held.some(isOurs) && !held.some(hasView);
    });
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

// A file that is saved in mid-answer and opened after the kernel's end: ipywidgets finds in the file's metadata, in the place of
// each widget that no kernel knows, one of its own that holds HTML.
const STATE = "application/vnd.jupyter.widget-state+json";
const CONTROLS = "@jupyter-widgets/controls";
const CUT = "This notebook was saved while the answer was being written. What had come by then stands here; run the cell again for all of it.";
const savers = new WeakSet();
const known = new Map(); // models by their ids

// A document is saved at once: what stands in it is to be known by then.
const learn = (manager) => {
  for (const output of codeCells(manager).flatMap(outputsOf)) {
    const id = viewIn(output);
    if (id && !known.has(id) && htmlIn(output).includes("nbgemini-live"))
      manager.get_model(id).then((model) => known.set(id, model), () => {});
  }
};

const asState = (html, version) => ({
  model_name: "HTMLModel",
  model_module: CONTROLS,
  model_module_version: version,
  state: { value: html },
});

// Put what widgets show into the metadata for as long as the document is being saved.
const saveShown = (manager) => {
  const { context } = manager || {};
  const { model, saveState } = context || {};
  if (!model?.setMetadata || !saveState || savers.has(context)) return;
  savers.add(context);
  let before, holds = false;
  saveState.connect((_, word) => {
    if (word === "started") {
      const state = {};
      for (const output of codeCells(manager).flatMap(outputsOf)) {
        const shown = known.get(viewIn(output));
        if (!shown || !htmlIn(output).includes("nbgemini-live")) continue;
        const hint = htmlIn(output).includes("nbgemini-status") ? create("small", { textContent: CUT }).outerHTML : "";
        const version = shown.get("_model_module") === CONTROLS ? shown.get("_model_module_version") : "2.0.0";
        state[viewIn(output)] = asState(frozen(shown) + hint, version);
      }
      if (!Object.keys(state).length) return;
      before = model.getMetadata("widgets");
      holds = true;
      const others = before?.[STATE]?.state;
      model.setMetadata("widgets", { ...before, [STATE]: { version_major: 2, version_minor: 0, state: { ...others, ...state } } });
    } else if (holds) {
      holds = false;
      if (before) model.setMetadata("widgets", before);
      else model.deleteMetadata("widgets");
    }
  });
};

// ---- Views: each paints what its model holds into an element.

const copyButton = (el, readText) => {
  // its label is no text of the page, so that it is never copied itself
  const button = create("button", {
    ariaLabel: "Copy this answer",
    value: "Copy",
    async onclick() {
      try {
        await navigator.clipboard.writeText(readText());
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

// Operations on the text, as the kernel's `html_tree` makes them: what is finished is never touched again, so a selection stays.
// Returns the boxes of formulas that are new, or not as they were.
const edit = (root, [op, path, count, added]) => {
  let node = root;
  const restored = [];
  for (const fromEnd of path) {
    node = node.childNodes[node.childNodes.length - fromEnd];
    // it was no whole formula after all
    if (restoreSource(node)) restored.push(node);
  }
  if (op === "t") {
    const text = node.lastChild;
    if (count) text.deleteData(text.length - count, count);
    text.appendData(added);
    return restored;
  }
  while (count--) node.lastChild.remove();
  return [...restored, ...insert(node, added.nodeType ? added : parse(added))];
};

const parse = (html) => {
  const { content } = create("template", { innerHTML: html });
  // the parser cuts long texts
  content.normalize();
  return content;
};

// Return what is inserted cut behind each displayed formula, for what follows one waits until it has its height.
const pieces = (html) => {
  const all = [new DocumentFragment()];
  for (const node of [...parse(html).childNodes]) {
    all.at(-1).append(node);
    if (node.matches?.(DISPLAYED) || node.querySelector?.(DISPLAYED)) all.push(new DocumentFragment());
  }
  return all;
};

const insert = (node, content) => {
  const formulas = [...content.querySelectorAll(FORMULAS)];
  // a row of data goes into the table before it
  const table = node.lastChild?.tBodies?.[0];
  while (table && content.firstChild?.tagName === "TR") table.append(content.firstChild);
  node.append(content);
  return formulas;
};

// ---- Formulas: a page that has a typesetter gets each one typeset soon after it has come, so that nothing jumps at the end.

const DISPLAYED = 'div[style*="overflow-x"]'; // the boxes of formulas, as the kernel's `math` makes them
const FORMULAS = `span[style*="max-content"], ${DISPLAYED}`;
const PATIENCE = 500; // milliseconds that a formula waits for the page to have nothing else to do
const HOLD = 1000; // milliseconds that what follows a displayed formula waits for it
const sources = new WeakMap(); // what stood in each box before

const idle = () => new Promise((done) => (window.requestIdleCallback ? requestIdleCallback(done, { timeout: PATIENCE }) : setTimeout(done, 20)));

const restoreSource = (box) => {
  if (!sources.has(box)) return false;
  box.replaceChildren(...sources.get(box));
  sources.delete(box);
  return true;
};

// Return a function that is given new boxes, and says whether one is about to grow, so that what follows would jump.
// Boxes out of sight have no size yet: they wait until it is called once more.
const typesetting = (typesetter) => {
  const waiting = new Set();
  let running = !typesetter, ready, until = 0;
  const run = async () => {
    // the page loads its typesetter at first use
    await (ready ||= typesetter.typeset(create("span")));
    for (const box of waiting) {
      if (box.isConnected && !box.checkVisibility()) continue;
      waiting.delete(box);
      if (!box.isConnected || sources.has(box)) continue;
      await idle();
      sources.set(box, [...box.childNodes].map((node) => node.cloneNode(true)));
      await typesetter.typeset(box);
    }
    running = false;
    until = 0;
  };
  return (boxes) => {
    for (const box of boxes) {
      waiting.add(box);
      if (typesetter && box.matches(DISPLAYED)) until ||= performance.now() + HOLD;
    }
    if (!running && waiting.size) {
      running = true;
      run();
    }
    return performance.now() < until;
  };
};

const INLINE = /^(A|B|BR|CODE|DEL|EM|I|IMG|KBD|S|SPAN|STRONG|SUB|SUP)$/;
const SPREAD = 100; // milliseconds over which text that came at once is shown

// Take what of the operations is due: all of them once the time is over, of a text as many characters as its share is.
const due = (queue, share) => {
  const length = ([op, , , added]) => (op === "t" ? added.length + 1 : 1);
  let budget = Math.ceil(share * queue.reduce((sum, one) => sum + length(one), 0));
  const ops = [];
  while (queue.length && budget > 0) {
    const [op, path, count, added] = queue[0];
    const whole = budget >= length(queue[0]);
    budget -= length(queue[0]);
    if (whole) ops.push(queue.shift());
    else {
      let at = added.length + 1 + budget;
      if (/[\ud800-\udbff]/.test(added[at - 1])) at++;
      ops.push([op, path, count, added.slice(0, at)]);
      queue[0] = [op, path, 0, added.slice(at)];
    }
  }
  return ops;
};

const scrollerOf = (el) => {
  for (let node = el.parentElement; node; node = node.parentElement)
    if (node.scrollHeight > node.clientHeight && /auto|scroll/.test(getComputedStyle(node).overflowY)) return node;
};

// Who has scrolled to the end of a long answer stays there while it grows; nobody else is moved.
const following = (el) => {
  let held; // where the end stands: what rounding takes away does not add up
  return (change) => {
    const scroller = scrollerOf(el);
    const { top, bottom } = el.getBoundingClientRect();
    const view = scroller?.getBoundingClientRect();
    if (!view || top >= view.top || bottom <= view.top || bottom > view.bottom) held = undefined;
    else if (!(Math.abs(held - bottom) < 8)) held = bottom;
    change();
    if (held !== undefined) scroller.scrollTop += el.getBoundingClientRect().bottom - held;
  };
};

const textView = (el, { state, role, paint, typesetter }) => {
  let root, began, last, caret, queue = [];
  const typeset = typesetting(typesetter), follow = following(el);
  // as it was written, with the sources of its formulas
  const readText = () => {
    const boxes = [...root.querySelectorAll(FORMULAS)].filter(restoreSource);
    const text = root.innerText;
    typeset(boxes);
    return text;
  };
  if (role !== "thought") el.append(copyButton(el, readText));
  const draw = (now = 0) => {
    if (began !== state.root) {
      root?.remove();
      began = state.root;
      root = began.cloneNode(true);
      root.className = "nbg-text";
      el.prepend(root);
      queue = [];
      typeset(root.querySelectorAll(FORMULAS));
    }
    const left = state.came + SPREAD - now;
    const passed = Math.min(now - (last ?? now), 50);
    last = queue.length ? now : undefined;
    const ops = typeset([]) ? [] : due(queue, left > passed && !state.ended ? passed / left : 1);
    if (ops.length) follow(() => { while (ops.length && !typeset(edit(root, ops.shift()))); });
    queue.unshift(...ops);
    if (queue.length) paint();
    // the caret stands behind the last word
    let end = root;
    while (end.lastChild?.tagName && !INLINE.test(end.lastChild.tagName) && !sources.has(end)) end = end.lastChild;
    caret?.classList.remove("nbg-caret");
    caret = end;
    caret.classList.toggle("nbg-caret", !state.whole && !state.ended);
    if (role === "thought") useKeys(el, paint);
  };
  const take = ([op, path, count, added]) => {
    if (op === "t") queue.push([op, path, count, added]);
    else for (const [at, piece] of pieces(added).entries()) queue.push([op, path, at ? 0 : count, piece]);
  };
  return Object.assign(draw, { take });
};

const statusView = (el, { state, send, paint }) => {
  const bar = create("progress", { max: 1, ariaLabel: "Progress" });
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
  el.append(bar, badge, text, clock, button);
  return () => {
    const { busy, part } = state.status;
    bar.hidden = !busy || part == null;
    bar.value = part ?? 0;
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
    if (painted === state.html && ended === state.ended) return;
    painted = state.html;
    ended = state.ended;
    const open = box.querySelector("details")?.open;
    const focused = el.contains(document.activeElement);
    box.innerHTML = painted;
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
  root: create("div"), // the text
  came: 0, // when it grew last, by the clock of frames
  html: "", // a card
  tail: "", // its arguments as they come
  status: {}, // the fields of a line or a card
  began: 0, // seconds since the epoch, by this page's clock
  stopping: false,
  over: null, // once all is at rest: the ids of the reply's widgets
  whole: false, // whether no more text comes
  ended: false, // whether the kernel has gone
});

// Operations besides those on the text: "a" (more arguments), "s" (fields), "e" (no more comes), "o" (over).
const apply = (state, views, op) => {
  const [kind, value] = op;
  if (kind === "a") state.tail += value;
  else if (kind === "o") state.over = value;
  else if (kind === "e") state.whole = true;
  else if (kind === "s") {
    // only what has changed
    state.status = { ...state.status, ...value };
    if ("since" in value) state.began = Date.now() / 1000 - value.since;
  } else {
    edit(state.root, op);
    state.came = performance.now();
    for (const view of views) view.take?.(op);
  }
};

const restore = (state, all, role) => {
  state.html = all.html || "";
  state.root = create("div");
  if (role !== "card") for (const html of [state.html, all.open || ""]) insert(state.root, parse(html));
  state.status = {};
  if (all.status) apply(state, [], ["s", all.status]);
  if (all.over) apply(state, [], ["o", all.over]);
  state.tail = all.tail || "";
};

const asHtml = ({ root, html, tail, status }, role) => {
  const whole = create("div", { className: `nbgemini-${{ card: "tool", data: "answer" }[role] || role}` });
  whole.innerHTML = role === "card" ? html : root.innerHTML;
  if (tail.trim()) whole.append(create("pre", { textContent: tail.trim() }));
  if (status.text) whole.append(create("small", { textContent: words(status.badge, status.text) }));
  return role === "thought" ? whole.innerHTML : whole.outerHTML;
};

// Pages that share a document (collaboration) mend it one after the other, in the order in which the kernel answers them: of two
// that add at the same time what is missing, one does so for nothing. All of them hear all answers.
const PAGE = Math.random().toString(36).slice(2);
const TURN = 1000; // milliseconds in which what one page has mended reaches the others

// Called once for every model. `initialize` and `render` get different wrappers of it: what they share lives in this closure.
export default () => {
  const state = newState();
  const views = new Set();
  let seen = 0, asked, frame, rendered = 0, free = 0, settle;

  const paint = () => {
    frame ||= requestAnimationFrame((now) => {
      frame = 0;
      for (const view of views) view(now);
    });
  };

  return {
    initialize({ model }) {
      const manager = model.widget_manager;
      const role = model.get("role");
      const ask = (type) => {
        if (!asked) model.send({ type, page: PAGE });
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
      const hear = ({ n, ops, snapshot, document: whole, page }) => {
        if (whole) {
          const now = Date.now();
          const turn = Math.max(now, free);
          free = turn + TURN;
          const ours = page === PAGE;
          setTimeout(mend, ours ? turn - now : 0, manager, whole, ours, () => state.over && setTimeout(settle, TURN));
        }
        if (snapshot ? asked || n !== seen : ops && n === seen + 1) {
          seen = n;
          if (snapshot) restore(state, snapshot, role);
          else for (const op of ops) apply(state, views, op);
          paint();
        }
        // some were lost on the way
        else if (ops && n > seen) return ask("lost");
        if (snapshot || whole) asked = false;
        // not at once: another page of the same document may be about to mend it
        if (state.over && !whole) setTimeout(settle, 500);
      };
      // many words come packed; what comes behind them waits for them
      let heard = Promise.resolve();
      model.on("msg:custom", (content, [packed] = []) => {
        heard = heard.then(async () => hear(packed ? { ...content, ops: await unpacked(packed) } : content));
      });
      // Once all is at rest: a document that has not taken it in is mended, and the kernel learns when nobody needs its widgets.
      settle = () => {
        if (!state.over || state.ended || role !== "status") return;
        const ids = new Set(state.over);
        if (codeCells(manager).flatMap(outputsOf).some((output) => ids.has(viewIn(output)))) ask("outputs");
        else if (!views.size) model.send({ type: "gone" });
      };
      shownBy.set(model.get("key"), () => asHtml(state, role));
      model.on("comm_live_update", end);
      if (role === "status") {
        saveShown(manager);
        follow(manager);
        const learning = setInterval(() => {
          follow(manager);
          if (state.over || state.ended) clearInterval(learning);
          else learn(manager);
        }, 1000);
      }
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
      const typesetter = model.widget_manager?.rendermime?.latexTypesetter;
      const paintView = view(el, { state, role, send, paint, typesetter });
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
