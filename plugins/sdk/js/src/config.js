// Schemas for a step's configuration. Every error names the key and says what was expected and found.

/** Longest value shown in an error, in characters. */
const SHOWN_MAX = 40;

/** A configuration that is not as the plugin needs it. */
export class ConfigError extends Error {}

export function fail(key, what) {
  throw new ConfigError(key === "" ? `configuration: ${what}` : `configuration key ${key}: ${what}`);
}

function shown(value) {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (value !== null && typeof value === "object") return "a map";
  const text = JSON.stringify(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

const below = (key, name) => (key === "" ? name : `${key}.${name}`);

/** A schema of a function that takes a value and its key, and gives the value or fails. */
function schema(read, absent) {
  return Object.freeze({
    read,
    absent,
    optional: () => schema((value, key) => (value === null ? undefined : read(value, key)), () => undefined),
    default: (value) => schema(read, () => value),
    check: (test) =>
      schema((value, key) => {
        const good = read(value, key);
        const wrong = test(good);
        if (typeof wrong === "string") fail(key, wrong);
        return good;
      }, absent),
  });
}

const scalar = (expected, fits) =>
  schema((value, key) => {
    if (!fits(value)) fail(key, `expected ${expected}, found ${shown(value)}`);
    return value;
  });

export const string = () => scalar("a string", (value) => typeof value === "string");
export const boolean = () => scalar("true or false", (value) => typeof value === "boolean");

function range(kind, { min = -Infinity, max = Infinity } = {}, fits) {
  const limits = min > -Infinity && max < Infinity ? ` from ${min} to ${max}` : min > -Infinity ? ` of at least ${min}` : max < Infinity ? ` of at most ${max}` : "";
  return scalar(kind + limits, (value) => fits(value) && value >= min && value <= max);
}

export const number = (limits) => range("a number", limits, (value) => typeof value === "number");
export const integer = (limits) => range("a whole number", limits, Number.isSafeInteger);

export const oneOf = (...values) => scalar(`one of ${values.map((value) => JSON.stringify(value)).join(", ")}`, (value) => values.includes(value));

export const list = (of) =>
  schema((value, key) => {
    if (!Array.isArray(value)) fail(key, `expected a list, found ${shown(value)}`);
    return value.map((item, index) => of.read(item, `${key}[${index}]`));
  });

function members(value, key) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) fail(key, `expected a map, found ${shown(value)}`);
  return Object.entries(value);
}

export const map = (of) => schema((value, key) => new Map(members(value, key).map(([name, item]) => [name, of.read(item, below(key, name))])));

export const object = (shape) =>
  schema((value, key) => {
    const given = new Map(members(value, key));
    for (const name of given.keys()) {
      if (!Object.hasOwn(shape, name)) fail(below(key, name), `unknown key; expected ${Object.keys(shape).map((known) => `\`${known}\``).join(", ") || "none"}`);
    }
    const read = {};
    for (const [name, of] of Object.entries(shape)) {
      if (given.has(name)) read[name] = of.read(given.get(name), below(key, name));
      else if (of.absent) read[name] = of.absent();
      else fail(below(key, name), `it is missing; expected ${expected(of)}`);
    }
    return read;
  });

/** What a schema says that it expects, learnt from the error for a missing value. */
function expected(of) {
  try {
    of.read(undefined, "");
    return "a value";
  } catch (error) {
    return /expected (.*), found/.exec(error.message)?.[1] ?? "a value";
  }
}

export const any = () => schema((value) => value);

/** Reads a configuration, the JSON text that the host gives, by a schema or a function of the author's. */
export function parse(text, by) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    fail("", `expected JSON: ${error.message}`);
  }
  if (by === undefined) return object({}).read(value ?? {}, "");
  return typeof by === "function" ? by(value ?? {}) : by.read(value ?? {}, "");
}
