// Field paths over JSON values, as the host reads them: `a.b`, `tags[0]`, `labels."a key.with dots"`, `.`.

const INDEX_MAX = 100_000;
const PART = /\[(\d+)\]|"((?:[^"\\]|\\.)*)"|([^.["]+)/y;

/** A path as keys (strings) and indexes (numbers); none for the whole record. */
export function parsePath(text) {
  if (text === ".") return [];
  const wrong = () => new Error(`field path \`${text}\`: expected keys and [indexes] parted by dots`);
  const parts = [];
  let at = text.startsWith(".") ? 1 : 0;
  for (;;) {
    PART.lastIndex = at;
    const found = PART.exec(text);
    if (found === null) throw wrong();
    const [all, index, quoted, key] = found;
    if (index !== undefined && Number(index) > INDEX_MAX) throw wrong();
    parts.push(index !== undefined ? Number(index) : quoted !== undefined ? quoted.replace(/\\(.)/gs, "$1") : key);
    at += all.length;
    if (at === text.length) return parts;
    if (text[at] === ".") at += 1;
    else if (text[at] !== "[") throw wrong();
  }
}

const isMap = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const step = (value, part) => (typeof part === "number" ? (Array.isArray(value) ? value[part] : undefined) : isMap(value) && Object.hasOwn(value, part) ? value[part] : undefined);

export const get = (record, path) => path.reduce(step, record);

/** Sets a member; a key such as `__proto__` is a key like any other. */
function define(at, key, value) {
  Object.defineProperty(at, key, { value, writable: true, enumerable: true, configurable: true });
}

/** Sets a value. Missing parents are made, `null` counts as missing; `false` where a parent is of another form. */
export function set(record, path, value) {
  let at = { root: record };
  let key = "root";
  for (const part of path) {
    if (!Object.hasOwn(at, key) || at[key] === null) define(at, key, typeof part === "number" ? [] : {});
    if (typeof part === "number" ? !Array.isArray(at[key]) : !isMap(at[key])) return false;
    at = at[key];
    key = part;
    if (typeof key === "number") while (at.length <= key) at.push(null);
  }
  define(at, key, value);
  return true;
}

export function remove(record, path) {
  const last = path.at(-1);
  const parent = get(record, path.slice(0, -1));
  if (typeof last === "number" && Array.isArray(parent)) {
    if (last < parent.length) parent.splice(last, 1);
  } else if (isMap(parent)) {
    delete parent[last];
  }
}
