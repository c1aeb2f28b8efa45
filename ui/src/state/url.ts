// The console's state is its URL: a page's name as the path's last segment, all else in the query string.
import { useMemo, useSyncExternalStore } from "react";
import { base } from "../api/client";

export type Changes = Record<string, string | null | undefined>;

/** The parameters that go along from page to page; all others are a page's own. */
export const shared = ["last", "from", "to", "q", "title", "refresh"];

const watchers = new Set<() => void>();
addEventListener("popstate", () => {
  for (const tell of watchers) tell();
});

function watch(tell: () => void): () => void {
  watchers.add(tell);
  return () => watchers.delete(tell);
}

/** The parameters after changes; null, undefined and "" remove one. */
export function changed(params: URLSearchParams, changes: Changes): URLSearchParams {
  const next = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") next.delete(name);
    else next.set(name, value);
  }
  return next;
}

/** What another page takes along. */
export function carried(params: URLSearchParams): URLSearchParams {
  return new URLSearchParams([...params].filter(([name]) => shared.includes(name)));
}

export function pageOf(pathname: string, root = base.pathname): string {
  return pathname.startsWith(root) ? pathname.slice(root.length) : "";
}

export function hrefOf(page: string, params: URLSearchParams): string {
  const text = params.toString();
  return base.pathname + page + (text ? `?${text}` : "");
}

export function go(href: string, replace = false): void {
  if (href === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", href);
  for (const tell of watchers) tell();
}

export interface Location {
  page: string;
  params: URLSearchParams;
  /** Changes parameters of this page. */
  set(changes: Changes, replace?: boolean): void;
  /** The address of a page with what it takes along, and changes. */
  link(page: string, changes?: Changes): string;
}

export function useLocation(): Location {
  const href = useSyncExternalStore(watch, () => location.pathname + location.search);
  return useMemo(() => {
    const [pathname, search = ""] = href.split("?", 2);
    const page = pageOf(pathname);
    const params = new URLSearchParams(search);
    return {
      page,
      params,
      set: (changes, replace) => go(hrefOf(page, changed(new URLSearchParams(location.search), changes)), replace),
      link: (other, changes = {}) => hrefOf(other, changed(carried(params), changes)),
    };
  }, [href]);
}
