import { plugin, text } from "@tamis/plugin";

const BEHAVIOURS = {
  loop() {
    for (;;);
  },
  memory() {
    for (const held = []; ; ) held.push(new Uint8Array(1 << 20).fill(1));
  },
  recursion() {
    const deeper = (n) => 1 + deeper(n + 1);
    deeper(0);
  },
  throw() {
    throw new Error("thrown \u001b[31m on purpose");
  },
  type() {
    undefined.length;
  },
  clock: () => String(new Date()),
  random: () => String(Math.random()),
};

export default plugin({
  reads: { message: text("message") },
  writes: { a: text("a") },
  record(row, out) {
    out.a.set(BEHAVIOURS[row.message]?.() ?? `${row.message}!`);
  },
});
