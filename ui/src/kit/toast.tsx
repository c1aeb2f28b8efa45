import { useSyncExternalStore } from "react";

let message = "";
let timer = 0;
const watchers = new Set<() => void>();

function show(text: string): void {
  message = text;
  for (const tell of watchers) tell();
}

/** Says something for two seconds. */
export function toast(text: string): void {
  clearTimeout(timer);
  show(text);
  timer = setTimeout(() => show(""), 2200) as unknown as number;
}

export function Toast() {
  const text = useSyncExternalStore(
    (tell) => {
      watchers.add(tell);
      return () => watchers.delete(tell);
    },
    () => message,
  );
  return (
    <div role="status" aria-live="polite">
      {text && <div className="toast">{text}</div>}
    </div>
  );
}

export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    // Without a secure context there is no clipboard: the text is offered to be copied by hand.
    prompt(`Copy ${what.toLowerCase()}:`, text);
  }
}
