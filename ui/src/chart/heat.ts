// A heat map's buckets, asked as counts with conditions.
import type { Field } from "../api/types";

/** The buckets' bounds, in the field's unit: from each to below the next. */
export const bounds = [
  0, 50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 102_400, 204_800, 409_600, 819_200, 1_638_400,
];

export interface Bucket {
  from: number;
  below: number;
  measure: string;
}

export function heatBuckets(field: Field): Bucket[] {
  return bounds.map((from, i) => {
    const below = bounds[i + 1] ?? Number.POSITIVE_INFINITY;
    const upper = Number.isFinite(below) ? ` && ${field.name} < ${below}` : "";
    return { from, below, measure: `count(${field.name} >= ${from}${upper})` };
  });
}

/** The rows of buckets between the first and the last that hold anything; at least three, so that there is a picture. */
export function usedRows(cells: number[][]): [number, number] {
  const used = cells.map((row) => row.some((v) => v > 0));
  const first = used.indexOf(true);
  if (first < 0) return [0, 0];
  const last = used.lastIndexOf(true);
  return [Math.max(0, first - 1), Math.min(cells.length, Math.max(last + 2, first + 2))];
}

/** How dark a cell is: by the logarithm, so that the few slow ones are seen beside the many quick ones. */
export function heatOf(value: number, most: number): number {
  return value <= 0 || most <= 0 ? 0 : 0.14 + 0.86 * (Math.log1p(value) / Math.log1p(most));
}
