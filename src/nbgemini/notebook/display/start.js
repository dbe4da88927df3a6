// What every widget carries: it starts from the one module of its page, which a widget of its own has brought there.
const pages = (globalThis[Symbol.for("nbgemini")] ||= new Map());
const unpacked = (bytes) => new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
const load = async (model) => {
  const bringer = await model.widget_manager.get_model(model.get("module"));
  const [code, textContent] = await Promise.all([unpacked(bringer.get("code")), unpacked(bringer.get("css"))]);
  document.head.append(Object.assign(document.createElement("style"), { textContent }));
  return import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
};
export default () => {
  let part;
  const start = async (model) => {
    const id = model.get("module");
    if (!pages.has(id)) pages.set(id, load(model));
    pages.get(id).catch(() => pages.delete(id));
    return (part ||= (await pages.get(id)).default());
  };
  return {
    initialize: async (props) => (await start(props.model)).initialize(props),
    render: async (props) => (await start(props.model)).render(props),
  };
};
