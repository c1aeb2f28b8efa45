// Who speaks to whom, now and in the period before.
import { type Row, rowsOf } from "../../api/block";
import type { Fields } from "../../api/hooks";
import type { Block } from "../../api/types";
import { quote } from "../../filter/cel";
import { groupName } from "../../kit/endpoint";

const wanted = [
  "src.kind",
  "src.namespace",
  "src.workload.name",
  "dst.kind",
  "dst.namespace",
  "dst.service",
  "backend.kind",
  "backend.namespace",
  "backend.workload.name",
];

/** Where nothing has a name, addresses tell ends apart. */
const plain = ["src.addr", "dst.addr", "dst.port", "backend.addr"];

export function pairKeys(fields: Fields, named: boolean): string[] {
  return (named ? wanted : plain).filter((n) => fields.get(n)?.group_by);
}

/** Whether any end has a name; before there is an answer, that is hoped. */
export function isNamed(block: Block | undefined): boolean {
  return (
    !block || block.rows === 0 || rowsOf(block).some((r) => r.text("src.kind") !== "" || r.text("backend.kind") !== "")
  );
}

export interface Pair {
  id: string;
  client: string;
  service: string;
  backend: string;
  bytes: number;
  before: number;
  records: number;
  recordsBefore: number;
  filter: string;
}

/** The dialled address with its port, where addresses stand for names. */
function dialledAddress(row: Row): string {
  const dialled = row.text("dst.addr");
  return dialled && dialled !== row.text("backend.addr") ? `${dialled}:${row.number("dst.port")}` : "";
}

/** A name within its namespace. */
function placed(row: Row, end: string, name: string): string {
  return [row.text(`${end}.namespace`), name].filter(Boolean).join("/");
}

export function pairsOf(block: Block | undefined, keys: string[]): Pair[] {
  return rowsOf(block).map((row) => ({
    id: keys.map((k) => row.text(k)).join("|"),
    client: placed(row, "src", groupName(row, "src")),
    service: row.text("dst.kind") === "Service" ? placed(row, "dst", row.text("dst.service")) : dialledAddress(row),
    backend: placed(row, "backend", groupName(row, "backend")),
    bytes: row.number("sum(total.bytes)"),
    before: row.number("previous(sum(total.bytes))"),
    records: row.number("count()"),
    recordsBefore: row.number("previous(count())"),
    filter: keys.map((k) => `${k} == ${k.endsWith(".port") ? row.number(k) : quote(row.text(k))}`).join(" && "),
  }));
}

/** How much a change matters: its size, weighed by how unusual it is. */
export function weight(p: Pair): number {
  const change = Math.abs(p.bytes - p.before);
  const ratio = (Math.max(p.bytes, p.before) + 2048) / (Math.min(p.bytes, p.before) + 2048);
  return change * Math.log2(ratio);
}

/** What changed most; changes by less than a fifth, or of next to nothing, are none. */
export function changesOf(pairs: Pair[], most: number): Pair[] {
  const counts = (p: Pair) =>
    Math.abs(p.bytes - p.before) > 4096 && Math.abs(p.bytes - p.before) > 0.2 * Math.max(p.bytes, p.before);
  return pairs
    .filter(counts)
    .sort((a, b) => weight(b) - weight(a))
    .slice(0, most);
}
