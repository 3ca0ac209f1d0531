// The types of @tamis/plugin/testing.

import type { Field, Plugin } from "./index.js";

/** What a plugin declares under its configuration. */
export interface Signature {
  readonly reads: readonly Field[];
  readonly writes: readonly Field[];
  readonly outputs: readonly string[];
  readonly drops: boolean;
}

/** What became of a record. */
export type Fate = { kind: "kept" } | { kind: "sent"; output: string } | { kind: "dropped" } | { kind: "rejected"; reason: string };

export interface Run {
  /** Every record with its patches, in order, whatever its fate; a dropped or rejected one is as it came. */
  records: any[];
  /** The fate of every record. */
  fates: Fate[];
  /** The outcome as the host would get it. */
  outcome: any;
  /** What the plugin told the host. */
  told: { lines: { level: "debug" | "info" | "warn" | "error"; message: string }[]; counters: Record<string, number> };
}

export interface Harness {
  readonly signature: Signature;
  /** The paths of the fields read. */
  readonly reads: string[];
  /** The paths of the fields written. */
  readonly writes: string[];
  /** Runs one batch. Throws what the plugin throws. */
  run(records: readonly unknown[]): Run;
}

/** A plugin under a configuration. Throws what the plugin says about the configuration. */
export function harness(plugin: Plugin, config?: unknown): Harness;
