// A loader of Node's that has esbuild take the types out of TypeScript files. It checks none; `tsc --noEmit` does.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

let esbuild;

function transformer(file) {
  try {
    return createRequire(file)("esbuild");
  } catch {
    throw new Error("esbuild is not installed, and TypeScript needs it: npm install --save-dev esbuild");
  }
}

export async function load(url, context, next) {
  if (!url.startsWith("file:") || !/\.[mc]?ts$/.test(url)) return next(url, context);
  const file = fileURLToPath(url);
  esbuild ??= transformer(file);
  const { code } = await esbuild.transform(await readFile(file, "utf8"), { loader: "ts", format: "esm", sourcefile: file, sourcemap: "inline" });
  return { format: "module", source: code, shortCircuit: true };
}
