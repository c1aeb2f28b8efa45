// A filter is CEL text. Its top-level conditions that have a simple form are shown as chips; whatever else is written
// there stays as text in a chip of its own, so that chips and text are always two views of one expression.

export type Operator =
  | "=="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "in"
  | "contains"
  | "startsWith"
  | "endsWith"
  | "matches"
  | "cidr"
  | "known"
  | "is";
export type Constant = string | number | boolean;

/** A condition on one field, or text that is none. */
export type Chip =
  | { kind: "condition"; field: string; op: Operator; not: boolean; values: Constant[] }
  | { kind: "text"; text: string };

type TokenKind = "name" | "string" | "number" | "mark";
export interface Token {
  kind: TokenKind;
  text: string;
  at: number;
}

const patterns: [TokenKind | "space", RegExp][] = [
  ["space", /\s+/y],
  ["string", /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/y],
  ["number", /\d+(?:\.\d+)?/y],
  ["name", /[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*/y],
  ["mark", /&&|\|\||==|!=|<=|>=|[-+*/%<>!()[\],.?:]/y],
];

/** The tokens of a text, or null where it has something that is none. */
export function tokenize(text: string): Token[] | null {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const found = patterns.find(([, p]) => {
      p.lastIndex = at;
      return p.test(text);
    });
    if (!found) return null;
    const end = found[1].lastIndex;
    if (found[0] !== "space") tokens.push({ kind: found[0], text: text.slice(at, end), at });
    at = end;
  }
  return tokens;
}

/** Splits a text at the && that are in no bracket; a text with || there is one part. */
function split(text: string): { text: string; tokens: Token[] }[] | null {
  const tokens = tokenize(text);
  if (!tokens) return null;
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const t of tokens) {
    if (t.kind === "mark" && "([".includes(t.text)) depth++;
    if (t.kind === "mark" && ")]".includes(t.text)) depth--;
    if (depth < 0) return null;
    if (depth === 0 && (t.text === "||" || t.text === "?")) return [{ text: text.trim(), tokens }];
    if (depth === 0 && t.text === "&&") parts.push([]);
    else parts[parts.length - 1].push(t);
  }
  if (depth !== 0 || parts.some((p) => p.length === 0)) return null;
  return parts.map((p) => {
    const last = p[p.length - 1];
    return { text: text.slice(p[0].at, last.at + last.text.length), tokens: p };
  });
}

/** Reads a filter as chips. Text that makes no sense is one chip of text: the server says what is wrong with it. */
export function parseFilter(text: string): Chip[] {
  if (text.trim() === "") return [];
  const parts = split(text);
  if (!parts) return [{ kind: "text", text: text.trim() }];
  return parts.map((part) => condition(part.tokens) ?? { kind: "text", text: part.text });
}

/** Writes chips as a filter. */
export function printFilter(chips: Chip[]): string {
  const alone = chips.length === 1;
  return chips.map((c) => (c.kind === "text" && !alone ? guarded(c.text) : printChip(c))).join(" && ");
}

/** Puts text in brackets that would be torn apart by an && before or after it. */
function guarded(text: string): string {
  const parts = split(text);
  return parts && parts.length === 1 && !hasOr(parts[0].tokens) ? text : `(${text})`;
}

function hasOr(tokens: Token[]): boolean {
  let depth = 0;
  return tokens.some((t) => {
    if ("([".includes(t.text)) depth++;
    if (")]".includes(t.text)) depth--;
    return depth === 0 && (t.text === "||" || t.text === "?");
  });
}

export function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

export function printConstant(value: Constant): string {
  return typeof value === "string" ? quote(value) : String(value);
}

const methods = ["contains", "startsWith", "endsWith", "matches"];

export function printChip(chip: Chip): string {
  if (chip.kind === "text") return chip.text;
  const { field, op, not, values } = chip;
  const bang = not ? "!" : "";
  if (op === "is") return bang + field;
  if (op === "known") return `${bang}known(${field})`;
  if (op === "cidr") return `${bang}cidr(${printConstant(values[0])}).containsIP(${field})`;
  if (methods.includes(op)) return `${bang}${field}.${op}(${printConstant(values[0])})`;
  if (op === "in") {
    const list = `${field} in [${values.map(printConstant).join(", ")}]`;
    return not ? `!(${list})` : list;
  }
  return `${field} ${op} ${printConstant(values[0])}`;
}

function unquote(text: string): string | undefined {
  const body = text.slice(1, -1);
  let known = true;
  const escapes: Record<string, string> = { n: "\n", t: "\t", r: "\r", '"': '"', "'": "'", "\\": "\\" };
  const plain = body.replace(/\\(u[0-9a-fA-F]{4}|.)/g, (_, e: string) => {
    if (e.length === 5) return String.fromCharCode(Number.parseInt(e.slice(1), 16));
    if (!(e in escapes)) known = false;
    return escapes[e] ?? "";
  });
  return known ? plain : undefined;
}

/** A cursor over tokens: each reader takes what it wants, or returns undefined. */
class Reader {
  at = 0;
  constructor(readonly tokens: Token[]) {}
  get done(): boolean {
    return this.at === this.tokens.length;
  }
  mark(...texts: string[]): string | undefined {
    const t = this.tokens[this.at];
    if (!t || !texts.includes(t.text) || (t.kind !== "mark" && t.text !== "in")) return undefined;
    this.at++;
    return t.text;
  }
  name(): string | undefined {
    const t = this.tokens[this.at];
    if (t?.kind !== "name" || ["true", "false", "in", "null"].includes(t.text)) return undefined;
    this.at++;
    return t.text;
  }
  constant(): Constant | undefined {
    const minus = this.mark("-") ? -1 : 1;
    const t = this.tokens[this.at++];
    if (t?.kind === "number" && Number.isSafeInteger(Number(t.text))) return minus * Number(t.text);
    if (minus === -1 || !t) return undefined;
    if (t.kind === "string") return unquote(t.text);
    return t.text === "true" ? true : t.text === "false" ? false : undefined;
  }
  list(): Constant[] | undefined {
    if (!this.mark("[")) return undefined;
    const values: Constant[] = [];
    do {
      const value = this.constant();
      if (value === undefined) return undefined;
      values.push(value);
    } while (this.mark(","));
    return this.mark("]") ? values : undefined;
  }
}

type Condition = Extract<Chip, { kind: "condition" }>;
const make = (field: string, op: Operator, values: Constant[] = []): Condition => ({
  kind: "condition",
  field,
  op,
  not: false,
  values,
});

function condition(tokens: Token[]): Condition | undefined {
  const whole = unwrapped(tokens);
  if (whole[0]?.text === "!" && whole[0].kind === "mark") {
    const inner = condition(whole.slice(1));
    const bracketed = whole[1]?.text === "(";
    if (!inner || inner.not) return undefined;
    // "!a == b" means (!a) == b.
    if (!bracketed && !["is", "known", "cidr", ...methods].includes(inner.op)) return undefined;
    if (inner.op === "==") return { ...inner, op: "!=" };
    if (["<", "<=", ">", ">=", "!="].includes(inner.op)) return undefined;
    return { ...inner, not: true };
  }
  const r = new Reader(whole);
  const found = call(r) ?? comparison(r);
  return found && r.done ? found : undefined;
}

/** Takes off the brackets around the whole. */
function unwrapped(tokens: Token[]): Token[] {
  if (tokens[0]?.text !== "(") return tokens;
  let depth = 0;
  for (const [i, t] of tokens.entries()) {
    if (t.kind !== "mark") continue;
    if (t.text === "(") depth++;
    if (t.text === ")" && --depth === 0) return i === tokens.length - 1 ? unwrapped(tokens.slice(1, -1)) : tokens;
  }
  return tokens;
}

function call(r: Reader): Condition | undefined {
  const start = r.at;
  const name = r.name();
  if (name && r.mark("(")) {
    const method = name.slice(name.lastIndexOf(".") + 1);
    const target = name.slice(0, name.lastIndexOf("."));
    if (name === "known") {
      const field = r.name();
      if (field && r.mark(")")) return make(field, "known");
    } else if (name === "cidr") {
      const net = r.constant();
      if (net !== undefined && r.mark(")") && r.mark(".") && r.name() === "containsIP" && r.mark("(")) {
        const field = r.name();
        if (field && r.mark(")")) return make(field, "cidr", [net]);
      }
    } else if (methods.includes(method) && target) {
      const value = r.constant();
      if (value !== undefined && r.mark(")")) return make(target, method as Operator, [value]);
    }
  }
  r.at = start;
  return undefined;
}

function comparison(r: Reader): Condition | undefined {
  const field = r.name();
  if (!field) return undefined;
  if (r.done) return make(field, "is");
  if (r.mark("in")) {
    const values = r.list();
    return values && make(field, "in", values);
  }
  const op = r.mark("==", "!=", "<=", ">=", "<", ">");
  const value = op && r.constant();
  return op && value !== undefined ? make(field, op as Operator, [value as Constant]) : undefined;
}

/** The names in a filter, once each; of a method, what it is called on. */
export function fieldsIn(text: string): string[] {
  const names = (tokenize(text) ?? []).filter((t) => t.kind === "name").map((t) => t.text);
  return [
    ...new Set(
      names.map((n) => (methods.includes(n.slice(n.lastIndexOf(".") + 1)) ? n.slice(0, n.lastIndexOf(".")) : n)),
    ),
  ];
}

/** Exchanges client and server: each field by its mirror. */
export function swapEnds(text: string, mirror: (field: string) => string | undefined): string {
  const tokens = tokenize(text);
  if (!tokens) return text;
  let out = "";
  let at = 0;
  for (const t of tokens) {
    out += text.slice(at, t.at);
    out += t.kind === "name" ? swapName(t.text, mirror) : t.text;
    at = t.at + t.text.length;
  }
  return out + text.slice(at);
}

/** A name may be a field with a method at its end. */
function swapName(name: string, mirror: (field: string) => string | undefined): string {
  const dot = name.lastIndexOf(".");
  const method = name.slice(dot + 1);
  if (dot > 0 && methods.includes(method)) return `${mirror(name.slice(0, dot)) ?? name.slice(0, dot)}.${method}`;
  return mirror(name) ?? name;
}

/** Adds "only this": it takes the place of what the filter says of equality of the field. */
export function onlyThis(text: string, field: string, value: Constant): string {
  const chips = parseFilter(text).filter(
    (c) => !(c.kind === "condition" && c.field === field && ["==", "in", "!="].includes(c.op)),
  );
  return printFilter([...chips, make(field, "==", [value])]);
}

/** Adds "not this", gathered in one condition for a field. */
export function notThis(text: string, field: string, value: Constant): string {
  const chips = parseFilter(text);
  const i = chips.findIndex(
    (c) => c.kind === "condition" && c.field === field && (c.op === "!=" || (c.op === "in" && c.not)),
  );
  if (i < 0) return printFilter([...chips.filter((c) => !same(c, field, value)), make(field, "!=", [value])]);
  const before = chips[i] as Condition;
  const values = before.values.includes(value) ? before.values : [...before.values, value];
  chips[i] = values.length === 1 ? make(field, "!=", values) : { ...make(field, "in", values), not: true };
  return printFilter(chips);
}

function same(chip: Chip, field: string, value: Constant): boolean {
  return chip.kind === "condition" && chip.field === field && chip.op === "==" && chip.values[0] === value;
}

/** Joins two filters, either of which may be empty. */
export function both(a: string, b: string): string {
  if (!a.trim()) return b;
  if (!b.trim()) return a;
  return printFilter([...parseFilter(a), ...parseFilter(b)]);
}

/** A condition that a field has one of some values; for none the empty text. */
export function oneOf(field: string, values: Constant[]): string {
  if (values.length === 0) return "";
  return printChip(values.length === 1 ? make(field, "==", values) : make(field, "in", values));
}
