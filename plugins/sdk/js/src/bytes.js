// Text between bytes and strings by the engine's own functions: a loop over bytes in an interpreter costs more than all else.
// Node has TextDecoder and TextEncoder. The engine of components has neither, but base64 and URI functions that do the same.

/** Characters made from bytes by one call: its arguments lie on the stack. */
const CHUNK = 4096;
const BEYOND_ASCII = /[^\x00-\x7f]/;

function fromBytes(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) text += String.fromCharCode.apply(null, bytes.subarray(at, at + CHUNK));
  return BEYOND_ASCII.test(text) ? decodeURIComponent(escape(text)) : text;
}

function toBytes(text) {
  return Uint8Array.fromBase64(btoa(BEYOND_ASCII.test(text) ? unescape(encodeURIComponent(text.toWellFormed())) : text));
}

const hasText = typeof TextDecoder === "function";
const decoder = hasText ? new TextDecoder("utf-8", { ignoreBOM: true }) : undefined;
const encoder = hasText ? new TextEncoder() : undefined;

/** Valid UTF-8 to a string. */
export const decode = hasText ? (bytes) => decoder.decode(bytes) : fromBytes;
/** A string to UTF-8; a lone surrogate becomes the replacement character. */
export const encode = hasText ? (text) => encoder.encode(text) : toBytes;
