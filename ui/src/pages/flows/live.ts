// The live tail as a list of rows: bounded, drawn some times a second, and held while paused.
import { useEffect, useRef, useState } from "react";
import { type Row, rowsOf } from "../../api/block";
import { follow } from "../../api/tail";

/** How many rows are kept: older ones leave. */
export const liveRows = 2000;
const drawEvery = 300;

export interface Live {
  rows: Row[];
  /** How many came since the begin, and since the pause. */
  seen: number;
  waiting: number;
  lost: number;
  error: Error | null;
  connected: boolean;
}

const nothing: Live = { rows: [], seen: 0, waiting: 0, lost: 0, error: null, connected: false };

/** Rows by their end, the newest first: nodes report at different moments. */
export function newestFirst(rows: Row[]): Row[] {
  const timed = rows.map((row) => ({ row, end: Date.parse(row.text("end")) }));
  return timed.sort((a, b) => b.end - a.end).map((t) => t.row);
}

export function useLive(active: boolean, paused: boolean, filter: string, fields: string[]): Live {
  const [live, setLive] = useState<Live>(nothing);
  const pausedNow = useRef(paused);
  pausedNow.current = paused;
  const names = fields.join(",");
  useEffect(() => {
    setLive(nothing);
    if (!active) return;
    let newest: Row[] = [];
    let state = { ...nothing };
    let dirty = false;
    const change = (part: Partial<Live>) => {
      state = { ...state, ...part };
      dirty = true;
    };
    const stop = follow(
      { filter, fields: names },
      {
        open: () => change({ connected: true, error: null }),
        failed: (error) => change({ connected: false, error }),
        lost: (rows) => change({ lost: state.lost + rows }),
        rows: (block) => {
          newest = [...rowsOf(block).reverse(), ...newest].slice(0, liveRows);
          change({ seen: state.seen + block.rows, waiting: Math.min(liveRows, state.waiting + block.rows) });
        },
      },
    );
    const timer = setInterval(() => {
      if (!pausedNow.current && (newest.length > 0 || dirty)) {
        const rows = newest.length > 0 ? newestFirst([...newest, ...state.rows]).slice(0, liveRows) : state.rows;
        newest = [];
        change({ rows, waiting: 0 });
      }
      if (dirty) setLive(state);
      dirty = false;
    }, drawEvery);
    return () => {
      stop();
      clearInterval(timer);
    };
  }, [active, filter, names]);
  return live;
}
