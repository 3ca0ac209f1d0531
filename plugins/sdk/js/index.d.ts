// The types of @tamis/plugin. What a row and the writers look like follows from the declared fields.

/** How the host presents a field. */
export type Kind = "text" | "integer" | "float" | "boolean" | "json";

/** A declared field: its path in the record, and the kind of its values. */
export interface Field<K extends Kind = Kind> {
  readonly path: string;
  readonly kind: K;
}

/** A field of text. Paths are `a.b`, `tags[0]`, `labels."a key.with dots"`. */
export function text(path: string): Field<"text">;
/** A field of whole numbers up to `Number.MAX_SAFE_INTEGER`; beyond that there is no value, and `json` has the digits. */
export function integer(path: string): Field<"integer">;
/** A field of numbers. */
export function float(path: string): Field<"float">;
/** A field of true and false. */
export function boolean(path: string): Field<"boolean">;
/** A field of any value; `.` is the whole record. */
export function json(path: string): Field<"json">;

/** Any value of JSON. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

interface Read {
  text: string;
  integer: number;
  float: number;
  boolean: boolean;
  json: Json;
}

interface Written {
  text: string;
  integer: number;
  float: number;
  boolean: boolean;
  json: Json;
}

export type Fields = Readonly<Record<string, Field>>;

/** A record as the plugin sees it. A field that is missing, `null` or of another kind is `undefined`. Valid during the call only. */
export type Row<R extends Fields> = { readonly [N in keyof R]: Read[R[N]["kind"]] | undefined };

/** Takes the new values of one field. */
export interface Writer<K extends Kind = Kind> {
  /** Sets the field. */
  set(value: Written[K]): void;
  /** Removes the field. */
  remove(): void;
}

/** A writer that goes to a row first; rows come in ascending order. */
export interface BatchWriter<K extends Kind = Kind> extends Writer<K> {
  at(row: number): Writer<K>;
}

export type Out<W extends Fields> = { readonly [N in keyof W]: Writer<W[N]["kind"]> };
export type BatchOut<W extends Fields> = { readonly [N in keyof W]: BatchWriter<W[N]["kind"]> };

/** The values of one field, one slot a row. */
export interface Column<K extends Kind = Kind> {
  readonly kind: K;
  readonly rows: number;
  /** Whether a row has a value. */
  isPresent(row: number): boolean;
  /** The value of a row, `undefined` where there is none. */
  value(row: number): Read[K] | undefined;
}

/** A column of text or JSON. */
export interface TextColumn<K extends "text" | "json"> extends Column<K> {
  /** The UTF-8 of a value, not copied: valid during the call only. */
  bytes(row: number): Uint8Array | undefined;
}

/** A column of JSON. */
export interface JsonColumn extends TextColumn<"json"> {
  /** A value as JSON text. */
  text(row: number): string | undefined;
}

export type ColumnOf<K extends Kind> = K extends "json" ? JsonColumn : K extends "text" ? TextColumn<"text"> : Column<K>;

/** One batch: `rows` records, a column for each field that is read. */
export interface Batch<R extends Fields, O extends string> {
  readonly rows: number;
  readonly columns: { readonly [N in keyof R]: ColumnOf<R[N]["kind"]> };
  /** Says what becomes of a row; one of which nothing is said is kept. */
  verdict(row: number, verdict: Verdict<O>): void;
}

/** What becomes of a record. */
export type Verdict<O extends string = string> =
  | { readonly kind: "keep" }
  | { readonly kind: "drop" }
  | { readonly kind: "to"; readonly output: O }
  | { readonly kind: "reject"; readonly reason: string };

/** The record goes on as it would have; returning nothing says the same. */
export const keep: { readonly kind: "keep" };
/** The record is dropped on purpose. Declare `drops: true`. */
export const drop: { readonly kind: "drop" };
/** The record leaves by this output, after the steps that follow. */
export function to<const O extends string>(output: O): { readonly kind: "to"; readonly output: O };
/** The record could not be processed: by default it goes to the dead letters with this reason. */
export function reject(reason: string): { readonly kind: "reject"; readonly reason: string };

interface Declared<R extends Fields, W extends Fields, O extends string, C, S> {
  /** The fields read, by the names they have in a row. */
  reads?: R;
  /** The fields written, by the names of their writers. */
  writes?: W;
  /** The named outputs, at most 254; a function where they follow from the configuration. */
  outputs?: readonly O[] | ((state: S) => readonly O[]);
  /** Whether it may drop records. */
  drops?: boolean;
  /** Reads the step's configuration: a schema of `config`, or a function that throws an error which names the key. */
  config?: config.Schema<C> | ((given: unknown) => C);
  /** Makes what `record` gets as its third argument, once an instance; without it that is the configuration. Throws what is wrong. */
  setup?: (config: C) => S;
  /** The path of a declared field under this configuration: `undefined` for the declared one, `null` to leave the field out. */
  path?: (name: (keyof R & string) | (keyof W & string), state: S) => string | null | undefined;
  /** Called after each batch: the place to add up counters. */
  batchDone?: (state: S) => void;
}

/** A plugin that works record by record. */
export interface RecordPlugin<R extends Fields, W extends Fields, O extends string, C, S> extends Declared<R, W, O, C, S> {
  /** Looks at one record, sets fields and says what becomes of it. What was set for a record that is dropped or rejected is taken back. */
  record(row: Row<R>, out: Out<W>, state: S): Verdict<O> | void;
}

/** A plugin that works on columns. */
export interface BatchPlugin<R extends Fields, W extends Fields, O extends string, C, S> extends Declared<R, W, O, C, S> {
  batch(batch: Batch<R, O>, out: BatchOut<W>, state: S): void;
}

/** A declared plugin: the default export of its package. */
export interface Plugin {
  readonly start: (configText: string) => unknown;
}

export function plugin<const R extends Fields = {}, const W extends Fields = {}, const O extends string = never, C = {}, S = C>(declared: RecordPlugin<R, W, O, C, S>): Plugin;
export function plugin<const R extends Fields = {}, const W extends Fields = {}, const O extends string = never, C = {}, S = C>(declared: BatchPlugin<R, W, O, C, S>): Plugin;

/** Lines in the host's log. At most 100 a second and 1 KiB each are kept. */
export const log: { debug(message: string): void; info(message: string): void; warn(message: string): void; error(message: string): void };

/** Counters. Names are `a-z`, `0-9` and `_`, at most 64 of them. */
export const metrics: { add(name: string, delta?: number): void };

/** Schemas of configurations. */
export namespace config {
  interface Schema<T> {
    /** `undefined` where the key is missing or `null`. */
    optional(): Optional<T | undefined>;
    /** This value where the key is missing. */
    default(value: T): Optional<T>;
    /** A test of the value that answers with what is wrong, if anything. */
    check(test: (value: T) => string | undefined | void): this;
    readonly read: (value: unknown, key: string) => T;
  }
  interface Optional<T> extends Schema<T> {
    readonly absent: () => T;
  }
  type Of<S> = S extends Schema<infer T> ? T : never;
  interface Limits {
    min?: number;
    max?: number;
  }
  function string(): Schema<string>;
  function boolean(): Schema<boolean>;
  function number(limits?: Limits): Schema<number>;
  function integer(limits?: Limits): Schema<number>;
  function oneOf<const V extends string | number | boolean>(...values: V[]): Schema<V>;
  function list<T>(of: Schema<T>): Schema<T[]>;
  /** Any keys, values of one schema. */
  function map<T>(of: Schema<T>): Schema<Map<string, T>>;
  /** These keys and no others. */
  function object<const F extends Record<string, Schema<any>>>(shape: F): Schema<{ [N in keyof F]: Of<F[N]> }>;
  function any(): Schema<unknown>;
  class ConfigError extends Error {}
  /** Throws an error that names the key. */
  function fail(key: string, what: string): never;
}
