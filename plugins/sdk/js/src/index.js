// Plugins for Tamis: what an author imports. The types, with their documentation, are in index.d.ts.

export { text, integer, float, boolean, json } from "./field.js";
export { keep, drop, to, reject } from "./verdict.js";
export { log, metrics } from "./host.js";
export { plugin } from "./plugin.js";
export * as config from "./config.js";
