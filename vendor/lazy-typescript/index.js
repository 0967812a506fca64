"use strict";

let compiler;
const real = () => (compiler ??= require("typescript-compiler"));

/** The real compiler, loaded when somebody first looks into it. */
module.exports = new Proxy(
  {},
  {
    get: (_, key) => real()[key],
    has: (_, key) => key in real(),
    ownKeys: () => Reflect.ownKeys(real()),
    // A proxy may only report properties its target lacks when they are configurable.
    getOwnPropertyDescriptor: (_, key) => {
      const found = Reflect.getOwnPropertyDescriptor(real(), key);
      return found && { ...found, configurable: true };
    },
  },
);
