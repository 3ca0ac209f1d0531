// What becomes of a record. `to` gives the same object for the same output, so a verdict costs no allocation a record.

/** How many named outputs a verdict's byte can tell apart: 0 keeps and 255 drops. */
export const OUTPUTS_MAX = 254;
/** The byte that drops a record. */
export const DROP = 255;

export const keep = Object.freeze({ kind: "keep" });
export const drop = Object.freeze({ kind: "drop" });

const sent = new Map();

export function to(output) {
  let verdict = sent.get(output);
  if (verdict === undefined) {
    verdict = Object.freeze({ kind: "to", output });
    // Outputs are few; a plugin that makes up names is stopped by the signature, not by memory.
    if (sent.size < OUTPUTS_MAX) sent.set(output, verdict);
  }
  return verdict;
}

export const reject = (reason) => ({ kind: "reject", reason: String(reason) });
