// What is drawn: nodes with places, edges with curves. The canvas, the SVG and the pointer all use the same scene.
import type { Edge, Graph, Node } from "./graph";
import type { Drawing, Point } from "./layered";
import type { Measure } from "./measures";

export interface SceneNode extends Node {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface SceneEdge extends Edge {
  /** A start, then three points for each cubic curve. */
  curve: Point[];
  width: number;
  /** 0 to 3: quiet, plain, wants attention, in trouble. */
  tone: number;
}

export interface Scene {
  nodes: SceneNode[];
  edges: SceneEdge[];
  /** Boxes with names, or dots. */
  boxes: boolean;
}

export const boxWidth = 156;
export const boxHeight = 42;

/** Services are smaller: they are a name for what answers. */
export function sizeOf(n: Node): { w: number; h: number } {
  return n.kind === "service" ? { w: 124, h: 28 } : { w: boxWidth, h: boxHeight };
}

export function sceneOf(
  graph: Graph,
  drawing: Drawing,
  measure: Measure,
  boxes: boolean,
  moved: Map<string, Point>,
): Scene {
  const most = Math.max(1, ...graph.nodes.map((n) => n.bytes));
  const nodes = graph.nodes.map((n): SceneNode => {
    const at = moved.get(n.id) ?? drawing.places.get(n.id) ?? { x: 0, y: 0 };
    const size = boxes ? 0 : 8 + 16 * Math.sqrt(n.bytes / most);
    return { ...n, ...at, ...(boxes ? sizeOf(n) : { w: size, h: size }) };
  });
  const byId = new Map(nodes.map((n) => [n.id, n]));
  const largest = Math.max(0, ...graph.edges.map((e) => e.value ?? 0));
  const edges = graph.edges.flatMap((e): SceneEdge[] => {
    const from = byId.get(e.from);
    const to = byId.get(e.to);
    if (!from || !to) return [];
    const route = moved.has(e.from) || moved.has(e.to) ? [] : (drawing.routes.get(e.id) ?? []);
    return [
      {
        ...e,
        curve: boxes
          ? curveOf(from, to, route, drawing.down)
          : [
              { x: from.x, y: from.y },
              { x: to.x, y: to.y },
            ],
        width: widthOf(e.value, largest, boxes),
        tone: toneOf(e.value, largest, measure),
      },
    ];
  });
  return { nodes, edges, boxes };
}

export function widthOf(value: number | null, largest: number, boxes: boolean): number {
  const share = value && largest > 0 ? Math.sqrt(value / largest) : 0;
  return boxes ? 1.2 + 5.3 * share : 0.7 + 3.3 * share;
}

export function toneOf(value: number | null, largest: number, measure: Measure): number {
  if (value === null) return 0;
  if (measure.limits) return value >= measure.limits[1] ? 3 : value >= measure.limits[0] ? 2 : 0;
  return largest > 0 && value / largest > 0.02 ? 1 : 0;
}

/** From the right side of one box to the left side of the other, through the points between. */
export function curveOf(from: SceneNode, to: SceneNode, route: Point[], down = false): Point[] {
  if (from.id === to.id) return loopOf(from);
  if (down) {
    const flip = (n: SceneNode) => ({ ...n, x: n.y, y: n.x, w: n.h, h: n.w });
    return curveOf(
      flip(from),
      flip(to),
      route.map((p) => ({ x: p.y, y: p.x })),
    ).map((p) => ({ x: p.y, y: p.x }));
  }
  // What leads back leaves where others come in, and comes in where others leave.
  const back = to.x < from.x - 1 ? -1 : 1;
  const level = Math.abs(to.x - from.x) <= 1;
  const begin = { x: from.x + (back * from.w) / 2, y: from.y };
  const end = level ? { x: to.x + to.w / 2 + 5, y: to.y } : { x: to.x - back * (to.w / 2 + 5), y: to.y };
  const stops = [begin, ...route, end];
  const curve = [begin];
  for (let i = 1; i < stops.length; i++) {
    const [a, b] = [stops[i - 1], stops[i]];
    const bend = level ? 40 + Math.min(60, Math.abs(b.y - a.y) / 5) : (b.x - a.x) / 2;
    curve.push({ x: a.x + bend, y: a.y }, { x: level ? b.x + bend : b.x - bend, y: b.y }, b);
  }
  return curve;
}

function loopOf(n: SceneNode): Point[] {
  const right = n.x + n.w / 2;
  const top = n.y - n.h / 2;
  return [
    { x: right, y: n.y },
    { x: right + 46, y: n.y },
    { x: right + 30, y: top - 30 },
    { x: n.x + n.w / 4, y: top - 4 },
  ];
}

/** Points along a curve, for the pointer. */
export function sample(curve: Point[], n = 10): Point[] {
  if (curve.length === 2) return curve;
  const points = [curve[0]];
  for (let i = 1; i + 2 < curve.length; i += 3) {
    const [a, b, c, d] = [curve[i - 1], curve[i], curve[i + 1], curve[i + 2]];
    for (let k = 1; k <= n; k++) {
      const t = k / n;
      const u = 1 - t;
      points.push({
        x: u * u * u * a.x + 3 * u * u * t * b.x + 3 * u * t * t * c.x + t * t * t * d.x,
        y: u * u * u * a.y + 3 * u * u * t * b.y + 3 * u * t * t * c.y + t * t * t * d.y,
      });
    }
  }
  return points;
}

export function distance(p: Point, a: Point, b: Point): number {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const t = Math.max(0, Math.min(1, ((p.x - a.x) * dx + (p.y - a.y) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(p.x - a.x - t * dx, p.y - a.y - t * dy);
}

/** What is at a place: a node, else an edge no farther than so much. */
export function hit(scene: Scene, at: Point, reach: number): { node?: SceneNode; edge?: SceneEdge } {
  for (let i = scene.nodes.length - 1; i >= 0; i--) {
    const n = scene.nodes[i];
    const grow = scene.boxes ? 0 : reach / 2;
    if (Math.abs(at.x - n.x) <= n.w / 2 + grow && Math.abs(at.y - n.y) <= n.h / 2 + grow) return { node: n };
  }
  let nearest: SceneEdge | undefined;
  let best = reach;
  for (const e of scene.edges) {
    const xs = e.curve.map((p) => p.x);
    const ys = e.curve.map((p) => p.y);
    if (
      at.x < Math.min(...xs) - reach ||
      at.x > Math.max(...xs) + reach ||
      at.y < Math.min(...ys) - reach ||
      at.y > Math.max(...ys) + reach
    )
      continue;
    const points = sample(e.curve);
    for (let i = 1; i < points.length; i++) {
      const d = distance(at, points[i - 1], points[i]) - e.width / 2;
      if (d < best) {
        best = d;
        nearest = e;
      }
    }
  }
  return { edge: nearest };
}

export interface Bounds {
  x: number;
  y: number;
  w: number;
  h: number;
}

export function boundsOf(scene: Scene): Bounds {
  if (scene.nodes.length === 0) return { x: 0, y: 0, w: 1, h: 1 };
  const left = Math.min(...scene.nodes.map((n) => n.x - n.w / 2));
  const right = Math.max(...scene.nodes.map((n) => n.x + n.w / 2));
  const top = Math.min(...scene.nodes.map((n) => n.y - n.h / 2));
  const bottom = Math.max(...scene.nodes.map((n) => n.y + n.h / 2));
  return { x: left, y: top, w: right - left, h: bottom - top };
}
