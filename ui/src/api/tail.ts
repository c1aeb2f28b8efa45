// The live tail: server-sent events by fetch, since EventSource cannot send a token.
import { apiUrl, send } from "./client";
import type { Block } from "./types";

export interface TailEvents {
  rows(block: Block): void;
  lost(rows: number): void;
  open(): void;
  failed(why: Error): void;
}

/** Splits a stream's text into events; what is not whole yet stays for the next piece. */
export class EventSplitter {
  private rest = "";

  push(piece: string): { event: string; data: string }[] {
    const parts = (this.rest + piece).split("\n\n");
    this.rest = parts.pop() ?? "";
    return parts.map(parseEvent).filter((e) => e.data !== "");
  }
}

function parseEvent(text: string): { event: string; data: string } {
  const found = { event: "message", data: "" };
  for (const line of text.split("\n")) {
    if (line.startsWith("event: ")) found.event = line.slice(7);
    else if (line.startsWith("data: ")) found.data += line.slice(6);
  }
  return found;
}

/** Follows until the function that it returns is called; after a break it connects anew. */
export function follow(parameters: Record<string, string | undefined>, events: TailEvents): () => void {
  const abort = new AbortController();
  void (async () => {
    while (!abort.signal.aborted) {
      try {
        await once(parameters, events, abort.signal);
      } catch (why) {
        if (abort.signal.aborted) return;
        events.failed(why as Error);
        const status = (why as { status?: number }).status ?? 0;
        if (status >= 400 && status < 500) return;
      }
      await new Promise((done) => setTimeout(done, 2000));
    }
  })();
  return () => abort.abort();
}

async function once(parameters: Record<string, string | undefined>, events: TailEvents, signal: AbortSignal) {
  const response = await send(apiUrl("tail", parameters), { signal });
  if (!response.body) throw new Error("the browser gave no stream");
  events.open();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const splitter = new EventSplitter();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const { event, data } of splitter.push(value)) {
      if (event === "rows") events.rows(JSON.parse(data));
      else if (event === "lost") events.lost(JSON.parse(data).rows);
    }
  }
}
