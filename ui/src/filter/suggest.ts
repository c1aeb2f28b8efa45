// What the filter bar offers while somebody types: fields, then what can be said of one.
import type { Fields } from "../api/hooks";
import type { Field } from "../api/types";
import { type Operator, parseFilter, printConstant, printFilter, quote, tokenize } from "./cel";

export interface Suggestion {
  /** What the line becomes. */
  text: string;
  label: string;
  hint: string;
  /** Whether the line is a whole condition then. */
  whole: boolean;
}

/** How far somebody has come: writing a field's name, or a value of a field. */
export type Stage =
  | { at: "field"; word: string }
  | { at: "value"; field: Field; op: Operator; not: boolean; prefix: string };

const operators: { text: string; op: Operator; not?: boolean; doc: string; kinds?: string[] }[] = [
  { text: "==", op: "==", doc: "is" },
  { text: "!=", op: "!=", doc: "is not" },
  { text: ">", op: ">", doc: "is more than", kinds: ["bytes", "count", "duration", "port", "id"] },
  { text: "<", op: "<", doc: "is less than", kinds: ["bytes", "count", "duration", "port", "id"] },
  { text: "contains", op: "contains", doc: "contains the text", kinds: ["name", "text"] },
  { text: "startsWith", op: "startsWith", doc: "begins with", kinds: ["name", "text"] },
  { text: "matches", op: "matches", doc: "matches the regular expression", kinds: ["name", "text"] },
  { text: "in net", op: "cidr", doc: "is an address of the network", kinds: ["addr"] },
  { text: "known", op: "known", doc: "is known" },
  { text: "unknown", op: "known", not: true, doc: "is not known" },
];

export function stageOf(text: string, fields: Fields): Stage {
  const found = /^\s*([\w.]+)\s+(==|!=|>=|<=|>|<|contains|startsWith|endsWith|matches|in net)?\s*"?([^"]*)"?$/.exec(
    text,
  );
  const field = found && fields.get(found[1]);
  if (!found || !field) return { at: "field", word: text.trim() };
  const op = (found[2] === "in net" ? "cidr" : (found[2] ?? "==")) as Operator;
  return { at: "value", field, op, not: false, prefix: found[3].trim() };
}

/** Ranks a field for a word: lower is better, undefined is no match. */
export function rankField(f: Field, word: string): number | undefined {
  const name = f.name.toLowerCase();
  const w = word.toLowerCase();
  if (w === "") return f.shown ? 0 : f.role === "key" ? 1 : 2;
  if (name === w) return 0;
  if (name.startsWith(w)) return 1;
  if (name.split(".").some((part) => part.startsWith(w))) return 2;
  if (name.includes(w)) return 3;
  if (f.doc.toLowerCase().includes(w)) return 4;
  return undefined;
}

export function suggestFields(fields: Fields, word: string): Suggestion[] {
  return fields.list
    .map((field) => ({ field, rank: rankField(field, word) }))
    .filter((m) => m.rank !== undefined)
    .sort((a, b) => (a.rank as number) - (b.rank as number))
    .slice(0, 40)
    .map(({ field }) => ({ text: `${field.name} `, label: field.name, hint: field.doc, whole: false }));
}

export const isText = (f: Field) => ["name", "text", "addr", "proto", "enum"].includes(f.kind);

export function suggestOperators(stage: Extract<Stage, { at: "value" }>): Suggestion[] {
  const { field } = stage;
  return operators
    .filter((o) => !o.kinds || o.kinds.includes(field.kind))
    .map((o) => {
      const whole = o.op === "known";
      const text = whole ? `${o.not ? "!" : ""}known(${field.name})` : `${field.name} ${o.text} `;
      return { text, label: `${field.name} ${o.text}`, hint: o.doc, whole };
    });
}

/** A condition of a stage and a value as text. */
export function conditionOf(stage: Extract<Stage, { at: "value" }>, value: string): string {
  const { field, op } = stage;
  const constant =
    field.kind === "bool" ? value === "true" : isText(field) || field.kind === "flags" ? value : numberOf(value);
  if (constant === undefined) return `${field.name} ${op} ${value}`;
  return printFilter([{ kind: "condition", field: field.name, op, not: false, values: [constant] }]);
}

const multipliers: Record<string, number> = {
  k: 1e3,
  m: 1e6,
  g: 1e9,
  kib: 1024,
  mib: 1 << 20,
  gib: 1 << 30,
  ms: 1e3,
  s: 1e6,
  us: 1,
  µs: 1,
};

/** Reads 443, 10MiB, 200ms. */
function numberOf(text: string): number | undefined {
  const found = /^(-?\d+(?:\.\d+)?)\s*([a-zµ]*)$/i.exec(text.trim());
  if (!found) return undefined;
  const by = found[2] === "" ? 1 : multipliers[found[2].toLowerCase()];
  return by === undefined ? undefined : Math.round(Number(found[1]) * by);
}

const address = /^[0-9a-f:.]+$/i;

/** Where a bare word is looked for: addresses or names of either end. */
export function findAnywhere(fields: Fields, word: string): string {
  if (/^\d{1,5}$/.test(word))
    return anyOf(
      fields,
      (f) => f.kind === "port" && /^(dst|backend)\./.test(f.name),
      (n) => `${n} == ${word}`,
    );
  if (address.test(word) && /[.:]/.test(word))
    return anyOf(
      fields,
      (f) => f.kind === "addr",
      (n) => `${n} == ${quote(word)}`,
    );
  const ends = /^(src|dst|backend)\.(name|workload\.name|service|namespace)$|^(query|resolver)\.?name$|^name$/;
  return anyOf(
    fields,
    (f) => ends.test(f.name),
    (n) => `${n}.contains(${quote(word)})`,
  );
}

/** The word that a condition looks for anywhere; none of any other condition. */
export function wordOf(text: string, fields: Fields): string {
  const bare = text.replace(/^\((.*)\)$/, "$1");
  const constant = tokenize(bare)?.find((t) => t.kind === "string" || t.kind === "number")?.text ?? "";
  const word = constant.replace(/^"(.*)"$/, "$1");
  return word && bare.includes("||") && findAnywhere(fields, word) === bare ? word : "";
}

function anyOf(fields: Fields, want: (f: Field) => boolean, write: (name: string) => string): string {
  return fields.list
    .filter((f) => f.group_by && want(f))
    .map((f) => write(f.name))
    .join(" || ");
}

/** What a line of text means once it is entered: a condition as it stands, a field's, or a word to be found. */
export function enter(text: string, fields: Fields): string {
  const line = text.trim();
  if (line === "") return "";
  const stage = stageOf(text, fields);
  if (stage.at === "value" && stage.prefix !== "") return conditionOf(stage, stage.prefix);
  const chips = parseFilter(line);
  const condition = chips[0];
  if (chips.length > 1 || (condition.kind === "condition" && (condition.op !== "is" || fields.has(condition.field))))
    return line;
  if (/["=<>()!]/.test(line)) return line;
  return findAnywhere(fields, line) || line;
}

export const valueLabel = (value: string, f: Field) => (isText(f) ? printConstant(value) : value);
