// The way out: log lines and counters. In a component the contract's imports take them, in a test the harness does, and
// elsewhere nobody.

const nobody = { write() {}, add() {} };
let ear = nobody;

/** Sets who hears of log lines and counters; gives who did before. */
export function listen(to) {
  const before = ear;
  ear = to ?? nobody;
  return before;
}

const level = (name) => (message) => ear.write(name, String(message));

export const log = Object.freeze({ debug: level("debug"), info: level("info"), warn: level("warn"), error: level("error") });

export const metrics = Object.freeze({
  add(name, delta = 1) {
    if (!Number.isSafeInteger(delta) || delta < 0) {
      throw new Error(`counter ${name}: expected a whole number from 0, found ${delta}`);
    }
    if (delta > 0) ear.add(String(name), delta);
  },
});
