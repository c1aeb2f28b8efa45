// What a browser remembers: the theme, saved views and columns' widths. Nothing here changes what a link shows.
import { useSyncExternalStore } from "react";

const watchers = new Set<() => void>();

function read(key: string): string {
  try {
    return localStorage.getItem(`seine.${key}`) ?? "";
  } catch {
    return "";
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`seine.${key}`, value);
  } catch {
    // Without storage it is forgotten with the page.
  }
  for (const tell of watchers) tell();
}

export function useRemembered(key: string): string {
  return useSyncExternalStore(
    (tell) => {
      watchers.add(tell);
      return () => watchers.delete(tell);
    },
    () => read(key),
  );
}

export function parsed<T>(text: string, otherwise: T): T {
  try {
    return text ? (JSON.parse(text) as T) : otherwise;
  } catch {
    return otherwise;
  }
}

const preferred = matchMedia("(prefers-color-scheme: dark)");

export function theme(): "dark" | "light" {
  const kept = read("theme");
  if (kept === "dark" || kept === "light") return kept;
  return preferred.matches ? "dark" : "light";
}

export function applyTheme(): void {
  document.documentElement.dataset.theme = theme();
}

export function setTheme(to: "dark" | "light"): void {
  remember("theme", to);
  applyTheme();
}

preferred.addEventListener("change", () => {
  applyTheme();
  for (const tell of watchers) tell();
});

export function useTheme(): "dark" | "light" {
  return useSyncExternalStore((tell) => {
    watchers.add(tell);
    return () => watchers.delete(tell);
  }, theme);
}

/** The value of a colour of theme.css, for canvases. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
