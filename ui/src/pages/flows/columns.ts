// Which columns the table has, and how wide they are.
import type { Fields } from "../../api/hooks";
import type { Field } from "../../api/types";
import { fieldsIn } from "../../filter/cel";
import { isRight } from "../../format/format";

/** The column that draws the connection: client → dialled ⇒ backend. */
export const pathColumn = "connection";

const ends = ["src", "dst", "backend"];
const members = ["addr", "port", "kind", "namespace", "name", "workload.name", "service", "subnet"];

/** What the path is drawn from, as far as the server has it. */
export function pathFields(fields: Fields): string[] {
  return ["nat", ...ends.flatMap((e) => members.map((m) => `${e}.${m}`))].filter((n) => fields.has(n));
}

/** What tells one record from all others. */
export const keyFields = ["end", "node", "proto", "src.addr", "src.port", "dst.addr", "dst.port"];

/** The time, the path, and what else the server shows by default; the path stands for the names of the ends. */
export function defaultColumns(fields: Fields): string[] {
  const shown = fields.list.filter((f) => f.shown && f.name !== "end" && !ends.includes(f.name.split(".")[0]));
  return ["end", pathColumn, ...shown.map((f) => f.name)];
}

/** The chosen columns; if none are, the default ones, and what the filter is about beside the path. */
export function columnsFrom(text: string | null, fields: Fields, filter = ""): string[] {
  const known = (text ?? "").split(",").filter((n) => n === pathColumn || fields.has(n));
  if (known.length) return [...new Set(known)];
  const shown = defaultColumns(fields);
  const covered = new Set([...shown, ...pathFields(fields), "primary", "reporter"]);
  const asked = fieldsIn(filter).filter((n) => fields.has(n) && !covered.has(n));
  const after = shown.indexOf(pathColumn) + 1;
  return [...shown.slice(0, after), ...asked, ...shown.slice(after)];
}

/** Whether a filter itself says which reports of a connection it is about. */
export function choosesReports(filter: string): boolean {
  return fieldsIn(filter).some((n) => ["primary", "reporter", "node"].includes(n));
}

/** The path takes what a narrow table leaves beside the time, so that the backend and its port stay in sight. */
export function pathWidth(room: number): number {
  return Math.max(230, Math.min(500, room - 120));
}

export function widthOf(name: string, field: Field | undefined, kept: Record<string, number>, room = 1000): number {
  if (kept[name]) return kept[name];
  if (name === pathColumn) return pathWidth(room);
  const byKind: Record<string, number> = {
    time: 116,
    proto: 66,
    port: 76,
    id: 80,
    bool: 76,
    enum: 108,
    flags: 150,
    addr: 132,
    bytes: 92,
    count: 92,
    duration: 92,
  };
  return Math.max(byKind[field?.kind ?? ""] ?? 150, name.length * 7.2 + 34);
}

export const align = (f: Field | undefined) => (f && isRight(f) ? "right" : "left");

/** Moves a column before another one. */
export function moved(columns: string[], name: string, to: number): string[] {
  const rest = columns.filter((c) => c !== name);
  rest.splice(Math.max(0, Math.min(to, rest.length)), 0, name);
  return rest;
}
