// The plugin's exports inside a component. It is imported before the plugin, so that what a plugin has not is gone by then.

import { ConfigError } from "./config.js";
import { listen } from "./host.js";

function without(what) {
  return () => {
    throw new Error(`a plugin has no ${what}; take what it needs from the record or from the configuration`);
  };
}

// Components are started once at build time and kept as they were then: a clock or random numbers would be those of the build.
Math.random = without("random numbers");
Reflect.deleteProperty(globalThis, "performance");
const clock = without("clock");
globalThis.Date = new Proxy(Date, {
  apply: clock,
  construct: (target, given, made) => (given.length === 0 ? clock() : Reflect.construct(target, given, made)),
  get: (target, key, at) => (key === "now" ? clock : Reflect.get(target, key, at)),
});

/** The contract's `transform` for a plugin; `log` and `metrics` are the contract's imports. */
export function transform(plugin, log, metrics) {
  if (typeof plugin?.start !== "function") throw new Error("the plugin's main file has no plugin: write `export default plugin({ … })`");
  listen({ write: log.write, add: metrics.add });
  let running;
  return {
    init: (config) =>
      told(() => {
        running = plugin.start(config);
        return running.signature;
      }),
    process: (batch) => told(() => running.process(batch)),
  };
}

/** The contract's errors are text: whatever is thrown becomes that. */
function told(work) {
  try {
    return work();
  } catch (error) {
    throw text(error);
  }
}

function text(error) {
  if (!(error instanceof Error)) return String(error);
  // A plain error is the author's own sentence, that of a configuration the SDK's; others say more with their name.
  const plain = error.constructor === Error || error instanceof ConfigError;
  return plain ? error.message : `${error.name}: ${error.message}`;
}
