// Places for the nodes: layers while they can be read, forces beyond. A graph of the same nodes and edges keeps its
// places, however its measures change.
import { useEffect, useRef, useState } from "react";
import type { ForceJob } from "./force.worker";
import type { Graph } from "./graph";
import { type Drawing, layered, type Point } from "./layered";
import { boxHeight, boxWidth, sizeOf } from "./scene";

/** Up to how many nodes are drawn as boxes in layers. */
export const mostBoxes = 160;

export const emptyDrawing: Drawing = { places: new Map(), routes: new Map(), down: false };

export function useLayout(graph: Graph, boxes: boolean): Drawing {
  const [drawing, setDrawing] = useState<Drawing>(emptyDrawing);
  const last = useRef(drawing);
  last.current = drawing;
  const shape = `${boxes}|${graph.nodes.map((n) => n.id).join("|")}|${graph.edges
    .map((e) => e.id)
    .sort()
    .join("|")}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: only another shape needs other places
  useEffect(() => {
    if (graph.nodes.length === 0) return;
    if (boxes) {
      setDrawing(boxed(graph, last.current));
      return;
    }
    return forced(graph, last.current.places, setDrawing);
  }, [shape]);
  return drawing;
}

/** The picture that fills the page better; the direction changes only where that is a clear gain. */
function boxed(graph: Graph, was: Drawing): Drawing {
  // A Service stands before those that answer for it.
  const links = graph.edges
    .map((e) => ({ id: e.id, from: e.from, to: e.to, firm: e.role === "answers" }))
    .sort((a, b) => a.id.localeCompare(b.id));
  const boxes = graph.nodes.map((n) => ({ id: n.id, ...sizeOf(n) }));
  const same = layered(boxes, links, was.places, was.down);
  const other = layered(boxes, links, new Map(), !was.down);
  const gain = scaleOf(other) / scaleOf(same);
  return gain > (was.places.size > 0 ? 1.5 : 1) ? other : same;
}

/** How large a drawing can be shown, about. */
function scaleOf(d: Drawing): number {
  const points = [...d.places.values()];
  const across = (of: (p: Point) => number) => Math.max(...points.map(of)) - Math.min(...points.map(of));
  return Math.min(
    1.15,
    Math.max(300, innerWidth - 560) / (across((p) => p.x) + boxWidth),
    Math.max(300, innerHeight - 240) / (across((p) => p.y) + boxHeight),
  );
}

function forced(graph: Graph, was: Map<string, Point>, done: (d: Drawing) => void): () => void {
  const worker = new Worker(new URL("./force.worker.ts", import.meta.url), { type: "module" });
  const ids = graph.nodes.map((n) => n.id);
  const index = new Map(ids.map((id, i) => [id, i]));
  const job: ForceJob = {
    ids,
    links: graph.edges.map((e): [number, number] => [index.get(e.from) ?? 0, index.get(e.to) ?? 0]),
    was: Float64Array.from(ids.flatMap((id) => [was.get(id)?.x ?? Number.NaN, was.get(id)?.y ?? Number.NaN])),
  };
  worker.onmessage = (e: MessageEvent<Float64Array>) =>
    done({
      places: new Map(ids.map((id, i) => [id, { x: e.data[2 * i], y: e.data[2 * i + 1] }])),
      routes: new Map(),
      down: false,
    });
  worker.postMessage(job);
  return () => worker.terminate();
}
