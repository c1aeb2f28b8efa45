// A layered drawing from left to right: clients, what they dial, who answers, whom those dial in turn. The method is
// Sugiyama's: break circles, rank, route long edges through the ranks between, order each rank by its neighbours, and
// place the ranks as near to their neighbours as the distances allow. The same graph always has the same drawing.

export interface Box {
  id: string;
  w: number;
  h: number;
}

export interface Link {
  id: string;
  from: string;
  to: string;
  /** Never drawn backwards, unless it must be. */
  firm?: boolean;
}

export interface Point {
  x: number;
  y: number;
}

/** Places are centres; routes are the points between the boxes that a long edge passes. */
export interface Drawing {
  places: Map<string, Point>;
  routes: Map<string, Point[]>;
  /** Whether it goes from top to bottom, not from left to right. */
  down: boolean;
}

const rankGap = 62;
const boxGap = 14;
const wireGap = 10;
const partGap = 34;

interface Item {
  id: string;
  rank: number;
  h: number;
  w: number;
  wire: boolean;
  y: number;
  before: Item[];
  after: Item[];
}

/** Draws a graph. Where nodes were before decides what is left open, so that a drawing changes little with the graph. */
export function layered(boxes: Box[], links: Link[], was: Map<string, Point> = new Map(), down = false): Drawing {
  if (down)
    return turned(
      layered(
        boxes.map((b) => ({ ...b, w: b.h, h: b.w })),
        links,
        turnedPoints(was),
      ),
    );
  const pitch = Math.max(0, ...boxes.map((b) => b.w)) + rankGap;
  const drawing: Drawing = { places: new Map(), routes: new Map(), down: false };
  let top = 0;
  for (const part of partsOf(boxes, links)) {
    const { items, wires } = arrange(part.boxes, part.links, was);
    const low = Math.min(...items.map((i) => i.y - i.h / 2));
    const high = Math.max(...items.map((i) => i.y + i.h / 2));
    for (const i of items) {
      const at = { x: i.rank * pitch, y: top + i.y - low };
      if (!i.wire) drawing.places.set(i.id, at);
    }
    for (const [id, route] of wires)
      drawing.routes.set(
        id,
        route.map((i) => ({ x: i.rank * pitch, y: top + i.y - low })),
      );
    top += high - low + partGap;
  }
  return drawing;
}

function turnedPoints(points: Map<string, Point>): Map<string, Point> {
  return new Map([...points].map(([id, p]) => [id, { x: p.y, y: p.x }]));
}

/** The same from top to bottom. */
function turned(d: Drawing): Drawing {
  return {
    places: turnedPoints(d.places),
    routes: new Map([...d.routes].map(([id, r]) => [id, r.map((p) => ({ x: p.y, y: p.x }))])),
    down: true,
  };
}

/** The parts that no edge joins, the largest first. */
function partsOf(boxes: Box[], links: Link[]): { boxes: Box[]; links: Link[] }[] {
  const root = new Map(boxes.map((b) => [b.id, b.id]));
  const find = (id: string): string => {
    let at = id;
    while (root.get(at) !== at) at = root.get(at) as string;
    root.set(id, at);
    return at;
  };
  for (const l of links) if (root.has(l.from) && root.has(l.to)) root.set(find(l.from), find(l.to));
  const parts = new Map<string, { boxes: Box[]; links: Link[] }>();
  for (const b of boxes) {
    const part = parts.get(find(b.id)) ?? { boxes: [], links: [] };
    part.boxes.push(b);
    parts.set(find(b.id), part);
  }
  for (const l of links) if (root.has(l.from) && root.has(l.to)) parts.get(find(l.from))?.links.push(l);
  return [...parts.values()].sort(
    (a, b) => b.boxes.length - a.boxes.length || a.boxes[0].id.localeCompare(b.boxes[0].id),
  );
}

function arrange(boxes: Box[], links: Link[], was: Map<string, Point>): { items: Item[]; wires: Map<string, Item[]> } {
  const ranks = rank(boxes, links);
  const items = new Map<string, Item>(
    boxes.map((b) => [b.id, { ...b, rank: ranks.get(b.id) ?? 0, wire: false, y: 0, before: [], after: [] }]),
  );
  const wires = new Map<string, Item[]>();
  const all = [...items.values()];
  for (const l of links) {
    const from = items.get(l.from) as Item;
    const to = items.get(l.to) as Item;
    if (from === to) continue;
    const [low, high] = from.rank <= to.rank ? [from, to] : [to, from];
    let last = low;
    const route: Item[] = [];
    for (let r = low.rank + 1; r < high.rank; r++) {
      const wire: Item = { id: `${l.id}@${r}`, rank: r, h: wireGap, w: 0, wire: true, y: 0, before: [], after: [] };
      join(last, wire);
      route.push(wire);
      all.push(wire);
      last = wire;
    }
    if (low.rank !== high.rank) join(last, high);
    wires.set(l.id, low === from ? route : route.reverse());
  }
  const layers = layersOf(all, was);
  order(layers);
  place(layers);
  return { items: all, wires };
}

function join(a: Item, b: Item): void {
  a.after.push(b);
  b.before.push(a);
}

/** The rank of a node is the longest way to it, once the edges that close circles are turned around. */
export function rank(boxes: Box[], links: Link[]): Map<string, number> {
  const real = links.filter((l) => l.from !== l.to);
  const sorted = sequence(boxes, real);
  const place = new Map(sorted.map((id, i) => [id, i]));
  const forward = new Map<string, string[]>(sorted.map((id) => [id, []]));
  for (const l of real) {
    const [first, second] = (place.get(l.from) ?? 0) < (place.get(l.to) ?? 0) ? [l.from, l.to] : [l.to, l.from];
    forward.get(first)?.push(second);
  }
  return longest(sorted, forward);
}

/** An order in which few edges lead back, and of the firm ones none: the greedy heuristic of Eades, Lin and Smyth. */
function sequence(boxes: Box[], links: Link[]): string[] {
  const balance = new Map(boxes.map((b) => [b.id, { in: 0, out: 0, after: 0 }]));
  const touch = (l: Link, sign: number) => {
    (balance.get(l.from) as { out: number }).out += sign;
    const to = balance.get(l.to) as { in: number; after: number };
    to.in += sign;
    if (l.firm) to.after += sign;
  };
  for (const l of links) touch(l, 1);
  const head: string[] = [];
  const tail: string[] = [];
  const left = new Set(boxes.map((b) => b.id).sort());
  let rest = links;
  const take = (id: string, to: string[]) => {
    to.push(id);
    left.delete(id);
    rest = rest.filter((l) => {
      const gone = l.from === id || l.to === id;
      if (gone) touch(l, -1);
      return !gone;
    });
  };
  while (left.size > 0) {
    const of = (id: string) => balance.get(id) as { in: number; out: number; after: number };
    const sink = [...left].find((id) => of(id).out === 0);
    const source = [...left].find((id) => of(id).in === 0);
    if (source !== undefined) take(source, head);
    else if (sink !== undefined) take(sink, tail);
    else {
      const free = [...left].filter((id) => of(id).after === 0);
      take(
        (free.length ? free : [...left]).reduce((a, b) => (of(b).out - of(b).in > of(a).out - of(a).in ? b : a)),
        head,
      );
    }
  }
  return [...head, ...tail.reverse()];
}

function longest(sorted: string[], forward: Map<string, string[]>): Map<string, number> {
  const ranks = new Map(sorted.map((id) => [id, 0]));
  for (const id of sorted) {
    for (const to of forward.get(id) ?? []) ranks.set(to, Math.max(ranks.get(to) ?? 0, (ranks.get(id) ?? 0) + 1));
  }
  // Nodes that nobody dials move next to what they dial.
  const dialled = new Set([...forward.values()].flat());
  for (const id of [...sorted].reverse()) {
    const after = forward.get(id) ?? [];
    if (!dialled.has(id) && after.length > 0) ranks.set(id, Math.min(...after.map((to) => (ranks.get(to) ?? 1) - 1)));
  }
  return ranks;
}

function layersOf(all: Item[], was: Map<string, Point>): Item[][] {
  const layers: Item[][] = [];
  for (const i of all) {
    layers[i.rank] ??= [];
    layers[i.rank].push(i);
  }
  const before = (i: Item) => was.get(i.id)?.y ?? Number.POSITIVE_INFINITY;
  for (const layer of layers) layer.sort((a, b) => compare(before(a), before(b)) || a.id.localeCompare(b.id));
  return layers;
}

const compare = (a: number, b: number) => (a === b ? 0 : a < b ? -1 : 1);

/** Sorts each rank by where its neighbours are, to and fro, and keeps the order with the fewest crossings. */
function order(layers: Item[][]): void {
  const number = (layer: Item[]) => {
    for (const [i, item] of layer.entries()) item.y = i;
  };
  layers.forEach(number);
  let best = layers.map((l) => [...l]);
  let fewest = crossings(layers);
  for (let sweep = 0; sweep < 12 && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) {
      const wish = new Map(layer.map((i) => [i, mean(down ? i.before : i.after) ?? i.y]));
      layer.sort((a, b) => (wish.get(a) as number) - (wish.get(b) as number));
      number(layer);
    }
    const now = crossings(layers);
    if (now < fewest) {
      fewest = now;
      best = layers.map((l) => [...l]);
    }
  }
  best.forEach((layer, r) => {
    layers[r] = layer;
    number(layer);
  });
}

function mean(items: Item[]): number | undefined {
  return items.length ? items.reduce((a, i) => a + i.y, 0) / items.length : undefined;
}

export function crossings(layers: { y: number; after: { y: number }[] }[][]): number {
  let n = 0;
  for (const layer of layers) {
    const ends = layer.flatMap((i) => i.after.map((a) => [i.y, a.y]));
    if (ends.length > 600) return Number.MAX_SAFE_INTEGER - ends.length;
    for (let a = 0; a < ends.length; a++) {
      for (let b = a + 1; b < ends.length; b++) if ((ends[a][0] - ends[b][0]) * (ends[a][1] - ends[b][1]) < 0) n++;
    }
  }
  return n;
}

/** Puts each rank as near to its neighbours as the distances allow, in some rounds. */
function place(layers: Item[][]): void {
  for (const layer of layers)
    settle(
      layer,
      layer.map(() => 0),
    );
  for (let round = 0; round < 10; round++) {
    const down = round % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) {
      settle(
        layer,
        layer.map((i) => mean(down ? i.before : i.after) ?? mean(down ? i.after : i.before) ?? i.y),
      );
    }
  }
}

/** The nearest places to those wished for that keep order and distances: an isotonic regression, by pooling neighbours. */
export function settle(layer: { y: number; h: number; wire: boolean }[], wishes: number[]): void {
  const offsets: number[] = [];
  layer.forEach((item, i) => {
    const last = layer[i - 1];
    offsets.push(last ? offsets[i - 1] + (last.h + item.h) / 2 + (last.wire && item.wire ? wireGap / 2 : boxGap) : 0);
  });
  const pools: { sum: number; n: number }[] = [];
  wishes.forEach((wish, i) => {
    pools.push({ sum: wish - offsets[i], n: 1 });
    while (pools.length > 1) {
      const [a, b] = pools.slice(-2);
      if (a.sum / a.n <= b.sum / b.n) break;
      pools.splice(-2, 2, { sum: a.sum + b.sum, n: a.n + b.n });
    }
  });
  let i = 0;
  for (const pool of pools) {
    for (let n = 0; n < pool.n; n++, i++) layer[i].y = pool.sum / pool.n + offsets[i];
  }
}
