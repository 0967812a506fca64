"use strict";

/** The SDK asks for it only to serialize a closure that requires packages; this program has no such closure. */
exports.Arborist = class Arborist {
  constructor() {
    throw new Error("closures with packages cannot be serialized in this project; see vendor/README.md");
  }
};
