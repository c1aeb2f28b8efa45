// What an edge's width and colour can stand for. Each is offered where the server has its fields.
import { type Row, sum } from "../../api/block";
import type { Fields } from "../../api/hooks";
import type { Measured } from "../../format/format";

export interface Measure {
  name: string;
  label: string;
  needs: string[];
  /** What is asked for, beside bytes and records. */
  ask: string[];
  /** Keys that rows are told apart by in addition. */
  keys?: string[];
  as: Measured;
  /** Above which value an edge wants attention, and is in trouble. */
  limits?: [number, number];
  of(parts: Row[]): number | null;
}

const summed = (column: string) => (parts: Row[]) => sum(parts.map((r) => r.number(column)));

/** Parts of an edge whose quantiles cannot be added: the edge has the worst of them. */
const worst = (column: string) => (parts: Row[]) => {
  const known = parts.map((r) => r.value(column)).filter((v) => typeof v === "number");
  return known.length ? Math.max(...known) : null;
};

const ratio = (part: string, whole: string) => (parts: Row[]) => {
  const all = sum(parts.map((r) => r.number(whole)));
  return all > 0 ? sum(parts.map((r) => r.number(part))) / all : null;
};

const failed = (parts: Row[]) => {
  const all = sum(parts.filter((r) => r.text("tcp.connect") !== "").map((r) => r.number("count()")));
  const bad = sum(parts.filter((r) => !["", "ok"].includes(r.text("tcp.connect"))).map((r) => r.number("count()")));
  return all > 0 ? bad / all : null;
};

const duration = { kind: "duration", unit: "microseconds" };
const share = { kind: "", unit: "ratio" };

const measures: Measure[] = [
  {
    name: "bytes",
    label: "Bytes",
    needs: ["total.bytes"],
    ask: [],
    as: { kind: "bytes", unit: "bytes" },
    of: summed("sum(total.bytes)"),
  },
  { name: "records", label: "Records", needs: [], ask: [], as: { kind: "count", unit: "" }, of: summed("count()") },
  {
    name: "packets",
    label: "Packets",
    needs: ["total.packets"],
    ask: ["sum(total.packets)"],
    as: { kind: "count", unit: "packets" },
    of: summed("sum(total.packets)"),
  },
  {
    name: "failed",
    label: "Failed connects",
    needs: ["tcp.connect"],
    ask: [],
    keys: ["tcp.connect"],
    as: share,
    limits: [0.0001, 0.05],
    of: failed,
  },
  {
    name: "rtt",
    label: "Round trip, p95",
    needs: ["tcp.rtt"],
    ask: ["p95(tcp.rtt)"],
    as: duration,
    limits: [20_000, 100_000],
    of: worst("p95(tcp.rtt)"),
  },
  {
    name: "handshake",
    label: "Handshake, p95",
    needs: ["tcp.handshake"],
    ask: ["p95(tcp.handshake)"],
    as: duration,
    limits: [50_000, 500_000],
    of: worst("p95(tcp.handshake)"),
  },
  {
    name: "retransmits",
    label: "Retransmit ratio",
    needs: ["total.retransmits", "total.packets"],
    ask: ["sum(total.retransmits)", "sum(total.packets)"],
    as: share,
    limits: [0.005, 0.02],
    of: ratio("sum(total.retransmits)", "sum(total.packets)"),
  },
  {
    name: "resets",
    label: "Resets",
    needs: ["tcp.resets"],
    ask: ["sum(tcp.resets)"],
    as: { kind: "count", unit: "" },
    limits: [1, 10],
    of: summed("sum(tcp.resets)"),
  },
  {
    name: "drops",
    label: "Dropped packets",
    needs: ["total.drop_packets"],
    ask: ["sum(total.drop_packets)"],
    as: { kind: "count", unit: "packets" },
    limits: [1, 100],
    of: summed("sum(total.drop_packets)"),
  },
];

export function measuresOf(fields: Fields): Measure[] {
  const offered = measures.filter((m) => fields.has(...m.needs));
  const cost = fields.get("cost");
  if (!cost) return offered;
  return [
    ...offered,
    { name: "cost", label: "Cost", needs: ["cost"], ask: ["sum(cost)"], as: cost, of: summed("sum(cost)") },
  ];
}
