// Beside the map: what is selected, and the same graph as lists that keys and screen readers reach.
import { ArrowRight, ChevronLeft, Expand, FoldVertical, Pin, PinOff, UnfoldVertical } from "lucide-react";
import { useMemo } from "react";
import { type Fields, useBlock } from "../../api/hooks";
import { bucketsOf } from "../../chart/buckets";
import { Series } from "../../chart/series";
import { both } from "../../filter/cel";
import { formatBytes, formatNumber, formatWhole } from "../../format/format";
import { MiddleName } from "../../kit/endpoint";
import { Button } from "../../kit/kit";
import { useWindow } from "../../state/clock";
import { formatDuration, stepOf } from "../../state/period";
import { useLocation } from "../../state/url";
import { type Edge, expandedId, type Graph, type Node } from "./graph";
import { endFilter } from "./levels";
import type { Measure } from "./measures";

export interface PanelProps {
  graph: Graph;
  fields: Fields;
  measure: Measure;
  selected: string;
  pinned: boolean;
  near: boolean;
  canOpen: boolean;
  opened: Set<string>;
  onSelect(id: string): void;
  onNear(on: boolean): void;
  onPin(on: boolean): void;
  onOpen(id: string, on: boolean): void;
  onFold(namespace: string, on: boolean): void;
  unnamed: boolean;
  onUnnamed(on: boolean): void;
}

export function MapPanel(props: PanelProps) {
  const { graph, selected, onSelect } = props;
  const node = graph.nodes.find((n) => n.id === selected);
  const edge = graph.edges.find((e) => e.id === selected);
  return (
    <aside className="map-panel panel" aria-label="Details of the map">
      {(node || edge) && (
        <button type="button" className="back" onClick={() => onSelect("")}>
          <ChevronLeft size={14} />
          The whole map
        </button>
      )}
      {node ? (
        <NodeDetails node={node} {...props} />
      ) : edge ? (
        <EdgeDetails edge={edge} {...props} />
      ) : (
        <Summary {...props} />
      )}
    </aside>
  );
}

const words: Record<string, string> = {
  workload: "Workload",
  pod: "Pod",
  service: "Service",
  node: "Node",
  external: "Outside the cluster",
  unknown: "Not known by name",
  place: "Group",
};

function Summary({ graph, measure, onSelect, unnamed, onUnnamed }: PanelProps) {
  const names = useNames(graph);
  return (
    <>
      <h2>
        {formatWhole(graph.nodes.length)} nodes, {formatWhole(graph.edges.length)} edges
      </h2>
      <p className="quiet">Choose a node or an edge, here or in the map.</p>
      <p className="quiet">
        {unnamed
          ? "Neighbour discovery of IPv6 and ends that nothing is known of are shown. "
          : "Neighbour discovery of IPv6, link-local addresses and ends that nothing is known of are left out. "}
        <button type="button" className="text-link" onClick={() => onUnnamed(!unnamed)}>
          {unnamed ? "Hide them" : "Show them"}
        </button>
      </p>
      <h3>Edges by {measure.label.toLowerCase()}</h3>
      <EdgeList edges={graph.edges.slice(0, 60)} names={names} measure={measure} onSelect={onSelect} />
    </>
  );
}

function useNames(graph: Graph): Map<string, Node> {
  return useMemo(() => new Map(graph.nodes.map((n) => [n.id, n])), [graph]);
}

function EdgeList({
  edges,
  names,
  measure,
  onSelect,
}: {
  edges: Edge[];
  names: Map<string, Node>;
  measure: Measure;
  onSelect(id: string): void;
}) {
  return (
    <ul className="edge-list">
      {edges.map((e) => (
        <li key={e.id}>
          <button type="button" onClick={() => onSelect(e.id)} data-edge={e.id}>
            <span className={e.role === "answers" ? "dialled" : "client"}>
              <MiddleName text={names.get(e.from)?.label ?? ""} />
            </span>
            <span className="quiet">{e.role === "answers" ? "⇒" : "→"}</span>
            <span className={e.role === "dials" ? "dialled" : "backend"}>
              <MiddleName text={names.get(e.to)?.label ?? ""} />
            </span>
            <b>{e.value === null ? "–" : formatNumber(e.value, measure.as)}</b>
          </button>
        </li>
      ))}
    </ul>
  );
}

function NodeDetails(props: PanelProps & { node: Node }) {
  const { node, graph, measure, near, pinned, onNear, onPin, onSelect } = props;
  const names = useNames(graph);
  const inward = graph.edges.filter((e) => e.to === node.id);
  const outward = graph.edges.filter((e) => e.from === node.id);
  const filter = nodeFilter(node);
  return (
    <>
      <h2 className="name">
        {node.place && <span className="quiet">{node.place}/</span>}
        {node.label}
      </h2>
      <p className="quiet">{words[node.kind]}</p>
      <div className="actions">
        <Button look="small" pressed={near} onClick={() => onNear(!near)}>
          <Expand size={13} />
          Neighbours only
        </Button>
        <Button look="small" pressed={pinned} onClick={() => onPin(!pinned)}>
          {pinned ? <PinOff size={13} /> : <Pin size={13} />}
          {pinned ? "Unpin" : "Pin"}
        </Button>
        <Folding {...props} />
      </div>
      <Traffic filter={filter} />
      <Behind filter={filter} />
      {inward.length > 0 && <h3>Comes in</h3>}
      <EdgeList edges={inward} names={names} measure={measure} onSelect={onSelect} />
      {outward.length > 0 && <h3>Goes out</h3>}
      <EdgeList edges={outward} names={names} measure={measure} onSelect={onSelect} />
    </>
  );
}

/** Expanding a workload into its pods, folding a namespace into one node, and back. */
function Folding({ node, canOpen, opened, onOpen, onFold }: PanelProps & { node: Node }) {
  const id = expandedId(node);
  const parent = [...opened].find(
    (o) =>
      node.id.startsWith("pod:") &&
      o.startsWith(`${node.place}/`) &&
      node.label.startsWith(o.slice(node.place.length + 1)),
  );
  return (
    <>
      {canOpen && id && node.kind === "workload" && (
        <Button look="small" onClick={() => onOpen(id, true)}>
          <UnfoldVertical size={13} />
          Show pods
        </Button>
      )}
      {parent && (
        <Button look="small" onClick={() => onOpen(parent, false)}>
          <FoldVertical size={13} />
          Show as workload
        </Button>
      )}
      {node.id.startsWith("fold:") ? (
        <Button look="small" onClick={() => onFold(node.label, false)}>
          <UnfoldVertical size={13} />
          Unfold
        </Button>
      ) : (
        node.place && (
          <Button look="small" onClick={() => onFold(node.place, true)}>
            <FoldVertical size={13} />
            Fold {node.place}
          </Button>
        )
      )}
    </>
  );
}

export function nodeFilter(node: Node): string {
  const ends = node.kind === "service" ? ["dst"] : ["src", "backend"];
  return ends.map((e) => (ends.length > 1 ? `(${endFilter(e, node)})` : endFilter(e, node))).join(" || ");
}

function EdgeDetails({ edge, graph, measure, onSelect }: PanelProps & { edge: Edge }) {
  const names = useNames(graph);
  const stop = (id: string, look: string, role: string) => (
    <button type="button" className="stop" data-look={look} onClick={() => onSelect(id)}>
      <span className="role">{role}</span>
      <strong>
        {names.get(id)?.place && <span className="ns">{names.get(id)?.place}/</span>}
        {names.get(id)?.label}
      </strong>
    </button>
  );
  const beyond = edge.role === "dials" ? graph.edges.filter((e) => e.from === edge.to && e.role === "answers") : [];
  const before = edge.role === "answers" ? graph.edges.filter((e) => e.to === edge.from && e.role === "dials") : [];
  return (
    <>
      <h2>
        {edge.role === "dials" ? "Dials a Service" : edge.role === "answers" ? "Answers for a Service" : "Connects"}
      </h2>
      <div className="path-drawing">
        {before.slice(0, 4).map((e) => (
          <div key={e.id}>{stop(e.from, "client", "Client")}</div>
        ))}
        {before.length > 4 && <p className="quiet">and {before.length - 4} clients more</p>}
        {before.length > 0 && <div className="hop">dials</div>}
        {stop(
          edge.from,
          edge.role === "answers" ? "dialled" : "client",
          edge.role === "answers" ? "Dialled" : "Client",
        )}
        <div className="hop">{edge.role === "answers" ? "⇒ rewritten to" : "→ dials"}</div>
        {stop(
          edge.to,
          edge.role === "dials" ? "dialled" : "backend",
          edge.role === "dials" ? "Dialled" : edge.role === "answers" ? "Backend, which answers" : "Server",
        )}
        {beyond.length > 0 && <div className="hop">⇒ rewritten to</div>}
        {beyond.slice(0, 6).map((e) => (
          <div key={e.id}>{stop(e.to, "backend", "Backend, which answers")}</div>
        ))}
      </div>
      <dl className="facts">
        {!["bytes", "records"].includes(measure.name) && (
          <div>
            <dt>{measure.label}</dt>
            <dd>{edge.value === null ? "–" : formatNumber(edge.value, measure.as)}</dd>
          </div>
        )}
        <div>
          <dt>Bytes</dt>
          <dd>{formatBytes(edge.bytes)}</dd>
        </div>
        <div>
          <dt>Records</dt>
          <dd>{formatWhole(edge.records)}</dd>
        </div>
      </dl>
      <Behind filter={edge.filter} primary />
      <Traffic filter={edge.filter} />
    </>
  );
}

function Behind({ filter, primary }: { filter: string; primary?: boolean }) {
  const { params, link } = useLocation();
  return (
    <a
      className={`button small ${primary ? "primary" : ""}`}
      href={link("flows", { q: both(params.get("q") ?? "", filter) })}
    >
      The connections behind it
      <ArrowRight size={13} />
    </a>
  );
}

function Traffic({ filter }: { filter: string }) {
  const { params } = useLocation();
  const w = useWindow();
  const step = stepOf(w, 60);
  const { data } = useBlock(
    { measures: ["sum(fwd.bytes)", "sum(rev.bytes)"], step: formatDuration(step), limit: 1000 },
    { filter: both(params.get("q") ?? "", filter) },
  );
  const line = (m: string) => bucketsOf(data, w, step, m);
  const sent = line("sum(fwd.bytes)");
  return (
    <Series
      label="Bytes over time"
      times={sent.times}
      step={step / 1000}
      as={{ kind: "bytes", unit: "bytes" }}
      height={110}
      series={[
        { label: "to the server", values: sent.lines[0].values, colour: "client", look: "line" },
        { label: "to the client", values: line("sum(rev.bytes)").lines[0].values, colour: "backend", look: "line" },
      ]}
    />
  );
}
