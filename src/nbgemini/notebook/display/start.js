// What every widget carries: it starts from the one module of its page, which a widget of its own has brought there.
const opened = async (code) => {
  const source = new Blob([code]).stream().pipeThrough(new DecompressionStream("gzip"));
  return import(URL.createObjectURL(new Blob([await new Response(source).text()], { type: "text/javascript" })));
};
const start = async (model) => {
  const bringer = await model.widget_manager.get_model(model.get("module"));
  return (await (bringer.page ||= opened(bringer.get("code")))).default();
};
export default () => {
  let part;
  const call = (name) => async (props) => (await (part ||= start(props.model)))[name](props);
  return { initialize: call("initialize"), render: call("render") };
};
