// Declared fields: a path and a kind of the contract.

const field = (kind) => (path) => {
  if (typeof path !== "string" || path === "") {
    throw new Error(`a field of kind ${kind}: expected its path, found ${JSON.stringify(path)}`);
  }
  return Object.freeze({ path, kind });
};

export const text = field("text");
export const integer = field("integer");
export const float = field("float");
export const boolean = field("boolean");
export const json = field("json");
