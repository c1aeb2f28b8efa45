// Reading the columns of an answer.
import type { Block, Column, Value } from "./types";

export function columnOf(block: Block | undefined, name: string): Column | undefined {
  return block?.columns.find((c) => c.field === name);
}

export function numbersOf(block: Block | undefined, name: string): number[] {
  return (columnOf(block, name)?.values ?? []).map((v) => (typeof v === "number" ? v : 0));
}

export function textsOf(block: Block | undefined, name: string): string[] {
  return (columnOf(block, name)?.values ?? []).map(textOf);
}

export function textOf(value: Value | undefined): string {
  if (value === null || value === undefined) return "";
  return Array.isArray(value) ? value.join("|") : String(value);
}

/** Reads one row by field names. */
export class Row {
  constructor(
    readonly block: Block,
    readonly index: number,
    private readonly places: Map<string, number>,
  ) {}
  value(name: string): Value | undefined {
    const place = this.places.get(name);
    return place === undefined ? undefined : this.block.columns[place].values[this.index];
  }
  text(name: string): string {
    return textOf(this.value(name));
  }
  number(name: string): number {
    const v = this.value(name);
    return typeof v === "number" ? v : 0;
  }
}

export function rowsOf(block: Block | undefined): Row[] {
  if (!block) return [];
  const places = new Map(block.columns.map((c, i) => [c.field, i]));
  return Array.from({ length: block.rows }, (_, i) => new Row(block, i, places));
}

export function sum(list: number[]): number {
  return list.reduce((a, b) => a + b, 0);
}
