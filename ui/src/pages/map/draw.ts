// Draws a scene on a canvas. Edges of one look are one stroke, so that thousands of them cost little.
import { formatNumber, type Measured } from "../../format/format";
import { colour } from "../../state/prefs";
import type { NodeKind } from "./levels";
import type { Scene, SceneEdge, SceneNode } from "./scene";

/** A canvas of the page, or one beside it. */
type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

export interface View {
  x: number;
  y: number;
  k: number;
}

export interface Marks {
  selected: string;
  hovered: string;
  /** Ids of nodes and edges to stand out; empty means that all do. */
  lit: Set<string>;
  found: Set<string>;
  pinned: Set<string>;
  labels: boolean;
  as: Measured;
}

export interface Palette {
  ink: string;
  ink2: string;
  ink3: string;
  surface: string;
  bg: string;
  line: string;
  accent: string;
  tones: string[];
  kinds: Record<NodeKind, string>;
}

export function palette(): Palette {
  return {
    ink: colour("ink"),
    ink2: colour("ink-2"),
    ink3: colour("ink-3"),
    surface: colour("surface"),
    bg: colour("bg"),
    line: colour("line-strong"),
    accent: colour("accent"),
    tones: [colour("line-strong"), colour("series-1"), colour("warning"), colour("critical")],
    kinds: {
      workload: colour("client"),
      pod: colour("backend"),
      service: colour("dialled"),
      node: colour("snat"),
      external: colour("ink-3"),
      unknown: colour("ink-3"),
      place: colour("accent"),
    },
  };
}

const faded = 0.13;

export function draw(
  c: Context,
  scene: Scene,
  view: View,
  size: { w: number; h: number; dpr: number },
  marks: Marks,
  p: Palette,
): void {
  c.setTransform(size.dpr, 0, 0, size.dpr, 0, 0);
  c.clearRect(0, 0, size.w, size.h);
  c.setTransform(size.dpr * view.k, 0, 0, size.dpr * view.k, size.dpr * view.x, size.dpr * view.y);
  const seen = {
    left: -view.x / view.k,
    top: -view.y / view.k,
    right: (size.w - view.x) / view.k,
    bottom: (size.h - view.y) / view.k,
  };
  drawEdges(c, scene, seen, marks, p, 1 / (view.k * size.dpr));
  for (const n of scene.nodes) {
    if (n.x + n.w < seen.left || n.x - n.w > seen.right || n.y + n.h < seen.top || n.y - n.h > seen.bottom) continue;
    c.globalAlpha = marks.lit.size > 0 && !marks.lit.has(n.id) ? faded : 1;
    if (scene.boxes) drawBox(c, n, marks, p);
    else drawDot(c, n, marks, p, view.k);
  }
  c.globalAlpha = 1;
  if (marks.labels) drawLabels(c, scene, marks, p, view.k);
}

type Seen = { left: number; top: number; right: number; bottom: number };

function drawEdges(c: Context, scene: Scene, seen: Seen, marks: Marks, p: Palette, pixel: number): void {
  const looks = new Map<string, SceneEdge[]>();
  for (const e of scene.edges) {
    if (outside(e, seen)) continue;
    const lit = marks.lit.size === 0 || marks.lit.has(e.id);
    const strong = e.id === marks.selected || e.id === marks.hovered;
    const look = [strong ? 2 : lit ? 1 : 0, e.tone, Math.round(e.width * 2) / 2].join(" ");
    const list = looks.get(look);
    if (list) list.push(e);
    else looks.set(look, [e]);
  }
  for (const look of [...looks.keys()].sort()) {
    const [level, tone, width] = look.split(" ").map(Number);
    c.globalAlpha = level === 0 ? faded : level === 1 ? (tone === 0 ? 0.75 : 0.85) : 1;
    c.strokeStyle = level === 2 ? p.accent : p.tones[tone];
    c.fillStyle = c.strokeStyle;
    // A line of one pixel costs a tenth of any other, which thousands of edges need; few are wider.
    const thin = width <= 2 && level < 2;
    c.lineWidth = scene.boxes ? (level === 2 ? width + 1.5 : width) : thin ? pixel : width * pixel;
    const list = looks.get(look) as SceneEdge[];
    c.beginPath();
    for (const e of list) trace(c, e);
    c.stroke();
    if (!scene.boxes) continue;
    c.beginPath();
    for (const e of list) arrow(c, e);
    c.fill();
  }
  c.globalAlpha = 1;
}

function outside(e: SceneEdge, s: Seen): boolean {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const q of e.curve) {
    if (q.x < left) left = q.x;
    if (q.x > right) right = q.x;
    if (q.y < top) top = q.y;
    if (q.y > bottom) bottom = q.y;
  }
  return right < s.left || left > s.right || bottom < s.top || top > s.bottom;
}

function trace(c: Context, e: SceneEdge): void {
  const [start, ...rest] = e.curve;
  c.moveTo(start.x, start.y);
  if (rest.length === 1) c.lineTo(rest[0].x, rest[0].y);
  for (let i = 0; i + 2 < rest.length; i += 3)
    c.bezierCurveTo(rest[i].x, rest[i].y, rest[i + 1].x, rest[i + 1].y, rest[i + 2].x, rest[i + 2].y);
}

function arrow(c: Context, e: SceneEdge): void {
  const end = e.curve[e.curve.length - 1];
  const before = e.curve[e.curve.length - 2];
  const length = Math.hypot(end.x - before.x, end.y - before.y) || 1;
  const [dx, dy] = [(end.x - before.x) / length, (end.y - before.y) / length];
  const s = 3.6 + e.width * 0.75;
  const back = 5 - s * 1.7;
  c.moveTo(end.x + dx * 5, end.y + dy * 5);
  c.lineTo(end.x + dx * back - dy * s, end.y + dy * back + dx * s);
  c.lineTo(end.x + dx * back + dy * s, end.y + dy * back - dx * s);
  c.closePath();
}

const glyphs: Record<NodeKind, string> = {
  workload: "M3 4h10v8H3zM3 7h10",
  pod: "M8 2.500l5 2.800v5.400L8 13.500l-5-2.800V5.300z",
  service: "M8 3v10M3 8h10M8 3a5 5 0 1 0 .01 0",
  node: "M3 3.500h10v4H3zM3 8.500h10v4H3z",
  external: "M8 3a5 5 0 1 0 .01 0M3 8h10M8 3c3 3 3 7 0 10M8 3c-3 3-3 7 0 10",
  unknown: "M6 6.500a2 2 0 1 1 2.500 2v1.200M8.500 12v.3",
  place: "M2.500 4.500h4l1.500 2h5.500v6h-11z",
};
const paths = new Map<string, Path2D>();
function glyph(kind: NodeKind): Path2D {
  const path = paths.get(kind) ?? new Path2D(glyphs[kind]);
  paths.set(kind, path);
  return path;
}

function drawBox(c: Context, n: SceneNode, marks: Marks, p: Palette): void {
  const [x, y] = [n.x - n.w / 2, n.y - n.h / 2];
  const strong = n.id === marks.selected || marks.found.has(n.id);
  c.beginPath();
  c.roundRect(x, y, n.w, n.h, n.kind === "service" ? n.h / 2 : 7);
  c.fillStyle = p.surface;
  c.fill();
  c.lineWidth = strong ? 2.2 : n.id === marks.hovered ? 1.8 : 1;
  c.strokeStyle = strong ? p.accent : n.id === marks.hovered ? p.ink3 : p.line;
  c.stroke();
  c.save();
  c.translate(x + 9, y + n.h / 2 - 10);
  c.scale(1.25, 1.25);
  c.strokeStyle = p.kinds[n.kind];
  c.lineWidth = 1.3;
  c.lineJoin = "round";
  c.stroke(glyph(n.kind));
  c.restore();
  c.textBaseline = "middle";
  c.fillStyle = p.ink;
  c.font = "500 12.5px Geist, sans-serif";
  const place = n.kind === "service" ? "" : n.place;
  c.fillText(fitted(c, n.label, n.w - 48), x + 36, place ? n.y - 7.5 : n.y + 0.5);
  if (place) {
    c.fillStyle = p.ink3;
    c.font = "11px Geist, sans-serif";
    c.fillText(fitted(c, n.place, n.w - 48), x + 36, n.y + 8.5);
  }
  if (marks.pinned.has(n.id)) {
    c.fillStyle = p.accent;
    c.beginPath();
    c.arc(x + n.w - 9, y + 9, 2.6, 0, 7);
    c.fill();
  }
}

function drawDot(c: Context, n: SceneNode, marks: Marks, p: Palette, k: number): void {
  const strong = n.id === marks.selected || n.id === marks.hovered || marks.found.has(n.id);
  c.beginPath();
  c.arc(n.x, n.y, n.w / 2, 0, 7);
  c.fillStyle = p.kinds[n.kind];
  c.fill();
  c.lineWidth = (strong ? 3 : 1) / k;
  c.strokeStyle = strong ? p.accent : p.bg;
  c.stroke();
  if (!strong && n.w * k < 15) return;
  c.fillStyle = p.ink;
  c.font = `${12 / k}px Geist, sans-serif`;
  c.textBaseline = "middle";
  c.fillText(n.label, n.x + n.w / 2 + 4 / k, n.y);
}

const widths = new Map<string, string>();

/** A text, shortened in its middle to so many pixels; names of pods differ at their ends. */
function fitted(c: Context, text: string, width: number): string {
  const key = `${c.font}${width}${text}`;
  const known = widths.get(key);
  if (known !== undefined) return known;
  let fits = text;
  for (let keep = text.length - 1; c.measureText(fits).width > width && keep > 3; keep--) {
    const tail = Math.floor(keep / 2);
    fits = `${text.slice(0, keep - tail)}…${text.slice(text.length - tail)}`;
  }
  if (widths.size > 5000) widths.clear();
  widths.set(key, fits);
  return fits;
}

/** The measure on the edges that stand out, as far as the labels do not cover each other. */
function drawLabels(c: Context, scene: Scene, marks: Marks, p: Palette, k: number): void {
  if (!scene.boxes || k < 0.45) return;
  c.font = "500 10.5px Geist, sans-serif";
  c.textBaseline = "middle";
  c.textAlign = "center";
  const taken: { x: number; y: number; w: number }[] = [];
  for (const e of [...scene.edges].sort((a, b) => b.tone - a.tone || b.width - a.width)) {
    const lit = marks.lit.size === 0 ? e.width > 2.4 || e.tone > 1 : marks.lit.has(e.id);
    if (!lit || e.value === null || e.value === 0) continue;
    const at = middle(e);
    const text = formatNumber(e.value, marks.as);
    const w = c.measureText(text).width + 8;
    if (taken.some((t) => Math.abs(t.y - at.y) < 17 && Math.abs(t.x - at.x) < (t.w + w) / 2)) continue;
    taken.push({ ...at, w });
    c.fillStyle = p.bg;
    c.globalAlpha = 0.88;
    c.beginPath();
    c.roundRect(at.x - w / 2, at.y - 7.5, w, 15, 4);
    c.fill();
    c.globalAlpha = 1;
    c.fillStyle = e.tone > 1 ? p.tones[e.tone] : p.ink2;
    c.fillText(text, at.x, at.y + 0.5);
  }
  c.textAlign = "start";
}

/** A place for an edge's label: a third of its first curve, where edges to one box are still apart. */
export function middle(e: SceneEdge): { x: number; y: number } {
  const [a, b, cc, d] = e.curve;
  if (!d) return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  const t = 0.5;
  const u = 1 - t;
  return {
    x: u * u * u * a.x + 3 * u * u * t * b.x + 3 * u * t * t * cc.x + t * t * t * d.x,
    y: u * u * u * a.y + 3 * u * u * t * b.y + 3 * u * t * t * cc.y + t * t * t * d.y,
  };
}
