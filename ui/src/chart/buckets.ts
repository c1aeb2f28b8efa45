// Time series out of an answer with a step: the buckets that hold nothing are not in it, and are added here.
import { columnOf, textsOf } from "../api/block";
import type { Block } from "../api/types";
import type { Window } from "../state/period";

export interface Line {
  label: string;
  /** One value for each time; null where there is none. */
  values: (number | null)[];
}

export interface Buckets {
  /** The buckets' begins, in seconds. */
  times: number[];
  lines: Line[];
}

/** Takes one measure as a line for each value of the key, or as one line without a key. Sums are 0 where nothing is. */
export function bucketsOf(block: Block | undefined, w: Window, step: number, measure: string, key = ""): Buckets {
  const begin = Math.floor(w.from / step) * step;
  const times: number[] = [];
  for (let t = begin; t < w.to; t += step) times.push(t / 1000);
  const measured = columnOf(block, measure)?.values ?? [];
  const labels = key ? textsOf(block, key) : [];
  const nothing = /^(sum|count|previous\((sum|count))/.test(measure) ? 0 : null;
  const lines = new Map<string, (number | null)[]>();
  if (!key) lines.set("", new Array(times.length).fill(nothing));
  for (const [i, at] of textsOf(block, "time").entries()) {
    const label = labels[i] ?? "";
    const line = lines.get(label) ?? new Array(times.length).fill(nothing);
    lines.set(label, line);
    const place = Math.round((Date.parse(at) - begin) / step);
    const v = measured[i];
    if (place >= 0 && place < line.length && typeof v === "number") line[place] = v;
  }
  return { times, lines: [...lines].map(([label, values]) => ({ label, values })) };
}

/** The largest lines first, the others added up as one. */
export function topLines(lines: Line[], most: number): Line[] {
  const size = (l: Line) => l.values.reduce<number>((a, v) => a + (v ?? 0), 0);
  const sorted = [...lines].sort((a, b) => size(b) - size(a));
  if (sorted.length <= most) return sorted;
  const rest = sorted.slice(most - 1);
  const values = rest[0].values.map((_, i) => rest.reduce((a, l) => a + (l.values[i] ?? 0), 0));
  return [...sorted.slice(0, most - 1), { label: "others", values }];
}
