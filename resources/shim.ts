/**
 * The provider of every kind, as the Node SDK stores it in a resource's `__provider`: a module whose `handler()` returns
 * the provider; the kind travels as an input. The state keeps this text, and read and delete run the kept text, maybe
 * years later: so it says nothing but where today's code is. Written out instead of serialized from a function, because
 * the serializer's text changes with the compiler (every resource would show an update), is over 2 KB for seven
 * methods, and takes a quarter of a second to make. The path is relative to the folder of Pulumi.yaml, which is the
 * working directory of the provider process. A test pins the text.
 */
export const shim = `exports.handler = () => {
  const { configure, ...handlers } = require("./bin/providers/main.js");
  return { ...handlers, configure: (request) => configure(request.config) };
};
`;
