// The graph out of an answer: clients, Services and backends, and what flows between them.
import { type Row, rowsOf } from "../../api/block";
import type { Block } from "../../api/types";
import { quote } from "../../filter/cel";
import { endFilter, type Identity, identify, type Level, serviceOf } from "./levels";
import type { Measure } from "./measures";

export interface Node extends Identity {
  bytes: number;
}

/** Which part of a connection an edge is: all of it, up to the Service, or from there to the backend. */
export type EdgeRole = "direct" | "dials" | "answers";

export interface Edge {
  id: string;
  from: string;
  to: string;
  role: EdgeRole;
  bytes: number;
  records: number;
  /** The chosen measure; null where there is none. */
  value: number | null;
  /** The records behind it. */
  filter: string;
}

export interface Graph {
  nodes: Node[];
  edges: Edge[];
  /** How many edges are left out, since nothing is known of one of their ends. */
  hidden: number;
}

interface Options {
  level: Level;
  services: boolean;
  measure: Measure;
  /** Namespaces shown as one node. */
  folded: Set<string>;
  /** Workloads shown as their pods, and the level of pods. */
  opened?: { ids: Set<string>; level: Level };
  /** Whether ends are shown of which nothing is known. */
  unnamed?: boolean;
}

const direct = 'dst.kind != "Service"';

export function graphOf(blocks: (Block | undefined)[], options: Options): Graph {
  const builder = new Builder(options);
  for (const block of blocks) for (const row of rowsOf(block)) builder.add(row);
  return builder.graph();
}

class Builder {
  private readonly nodes = new Map<string, Node>();
  private readonly edges = new Map<string, { edge: Edge; parts: Row[] }>();
  constructor(private readonly options: Options) {}

  add(row: Row): void {
    const from = this.node(row, "src");
    if (!this.options.services || row.text("dst.kind") !== "Service" || row.text("dst.service") === "") {
      const to = this.node(row, "backend");
      const filter = [endFilter("src", from), this.options.services ? direct : "", endFilter("backend", to)];
      this.edge("direct", from, to, row, filter.filter(Boolean).join(" && "));
      return;
    }
    const service = this.put(this.folded(serviceOf(row)), row);
    const dialled = endFilter("dst", service);
    this.edge("dials", from, service, row, `${endFilter("src", from)} && ${dialled}`);
    if (row.text("backend.kind") === "Service") return; // Nobody answered.
    const to = this.node(row, "backend");
    this.edge("answers", service, to, row, `${dialled} && ${endFilter("backend", to)}`);
  }

  private node(row: Row, end: string): Node {
    const { level, opened } = this.options;
    const who = identify(row, end, level);
    return this.put(this.folded(opened?.ids.has(expandedId(who)) ? identify(row, end, opened.level) : who), row);
  }

  private folded(who: Identity): Identity {
    const { place } = who;
    if (!this.options.folded.has(place)) return who;
    return { id: `fold:${place}`, kind: "place", label: place, place: "namespace", members: [["namespace", place]] };
  }

  private put(who: Identity, row: Row): Node {
    const node = this.nodes.get(who.id) ?? { ...who, bytes: 0 };
    node.bytes += row.number("sum(total.bytes)");
    this.nodes.set(who.id, node);
    return node;
  }

  private edge(role: EdgeRole, from: Node, to: Node, row: Row, filter: string): void {
    if (from.id === to.id && from.id.startsWith("fold:")) return;
    const id = `${from.id}>${to.id}`;
    const found = this.edges.get(id) ?? {
      edge: { id, from: from.id, to: to.id, role, bytes: 0, records: 0, value: null, filter },
      parts: [],
    };
    found.edge.bytes += row.number("sum(total.bytes)");
    found.edge.records += row.number("count()");
    found.parts.push(row);
    this.edges.set(id, found);
  }

  graph(): Graph {
    const all = [...this.edges.values()];
    const named = (id: string) => this.nodes.get(id)?.kind !== "unknown";
    const shown = this.options.unnamed ? all : all.filter(({ edge }) => named(edge.from) && named(edge.to));
    const edges = shown.map(({ edge, parts }) => ({ ...edge, value: this.options.measure.of(parts) }));
    const used = new Set(edges.flatMap((e) => [e.from, e.to]));
    edges.sort((a, b) => (b.value ?? 0) - (a.value ?? 0) || a.id.localeCompare(b.id));
    return {
      hidden: all.length - shown.length,
      nodes: [...this.nodes.values()].filter((n) => used.has(n.id)).sort((a, b) => a.id.localeCompare(b.id)),
      edges,
    };
  }
}

/** A node with those it speaks to. */
export function neighbours(graph: Graph, id: string): Graph {
  const edges = graph.edges.filter((e) => e.from === id || e.to === id);
  // A Service's other side belongs to the picture: who answered, or who dialled.
  const services = new Set(edges.flatMap((e) => [e.from, e.to]).filter((n) => n !== id && n.startsWith("service/")));
  const more = graph.edges.filter(
    (e) =>
      (services.has(e.from) && e.role === "answers") ||
      (services.has(e.to) && e.to !== id && e.role === "dials" && e.from === id),
  );
  const all = [...new Set([...edges, ...more])];
  const near = new Set([id, ...all.flatMap((e) => [e.from, e.to])]);
  return { nodes: graph.nodes.filter((n) => near.has(n.id)), edges: all, hidden: graph.hidden };
}

/** How an expanded workload is written in the URL. */
export function expandedId(workload: Identity): string {
  return workload.id.startsWith("workload:") ? workload.id.slice("workload:".length) : "";
}

/** The condition that a connection has an end in one of the expanded workloads. */
export function openedFilter(ids: string[]): string {
  const one = (end: string, id: string) => {
    const cut = id.indexOf("/");
    return `${end}.namespace == ${quote(id.slice(0, cut))} && ${end}.workload.name == ${quote(id.slice(cut + 1))}`;
  };
  return ids.flatMap((id) => [`(${one("src", id)})`, `(${one("backend", id)})`]).join(" || ");
}
