import { useEffect, useState } from "react";
import { refresh } from "../state/clock";
import { setTheme, theme } from "../state/prefs";
import { go, useLocation } from "../state/url";
import { Dialog } from "./kit";

export const pageKeys: Record<string, string> = {
  o: "",
  m: "map",
  f: "flows",
  h: "health",
  d: "dns",
  c: "cost",
  s: "status",
};

const help: [string[], string][] = [
  [["/"], "Write a filter"],
  [["g", "o"], "Overview"],
  [["g", "m"], "Map"],
  [["g", "f"], "Flows"],
  [["g", "h"], "Health"],
  [["g", "d"], "DNS"],
  [["g", "c"], "Cost"],
  [["g", "s"], "Status"],
  [["r"], "Refresh now"],
  [["l"], "Flows: live tail on and off"],
  [["p"], "Flows: pause the live tail"],
  [["j", "k"], "Flows: next and previous row (or ↓ ↑)"],
  [["Enter"], "Flows: details of the row"],
  [["+", "−", "0"], "Map: closer, farther, all of it"],
  [["t"], "Dark or light"],
  [["Esc"], "Close what is open"],
  [["?"], "This list"],
];

/** Whether a key is meant for what has the focus. */
export function isTyping(e: KeyboardEvent): boolean {
  const at = e.target as HTMLElement;
  return (
    e.ctrlKey ||
    e.metaKey ||
    e.altKey ||
    ["INPUT", "TEXTAREA", "SELECT"].includes(at.tagName) ||
    at.isContentEditable ||
    document.querySelector("dialog[open], .menu") !== null
  );
}

/** The keys that work on every page. */
export function Keys({ open, setOpen }: { open: boolean; setOpen(open: boolean): void }) {
  const { link } = useLocation();
  const [began, setBegan] = useState(false);
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (isTyping(e)) return;
      const handled = began ? jump(e.key, link) : single(e.key, setOpen);
      setBegan(!began && e.key === "g");
      if (handled) e.preventDefault();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, [began, link, setOpen]);
  if (!open) return null;
  return (
    <Dialog title="Keys" onClose={() => setOpen(false)}>
      <dl className="keys">
        {help.map(([keys, what]) => (
          <div key={what} style={{ display: "contents" }}>
            <dt>
              {keys.map((k) => (
                <kbd key={k} style={{ marginRight: 4 }}>
                  {k}
                </kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

function jump(key: string, link: (page: string) => string): boolean {
  if (!(key in pageKeys)) return false;
  go(link(pageKeys[key]));
  return true;
}

function single(key: string, setOpen: (open: boolean) => void): boolean {
  const actions: Record<string, () => void> = {
    "/": () => document.getElementById("filter-input")?.focus(),
    "?": () => setOpen(true),
    r: refresh,
    t: () => setTheme(theme() === "dark" ? "light" : "dark"),
  };
  actions[key]?.();
  return key in actions;
}
