// The moment that "now" is on the page: all its queries share it, and a refresh moves it.
import { useEffect, useMemo, useSyncExternalStore } from "react";
import { serverNow } from "../api/client";
import { type Period, parseDuration, periodFrom, refreshOf, type Window, windowOf } from "./period";
import { useLocation } from "./url";

let moment = serverNow();
const watchers = new Set<() => void>();

export function refresh(): void {
  moment = serverNow();
  for (const tell of watchers) tell();
}

function watch(tell: () => void): () => void {
  watchers.add(tell);
  return () => watchers.delete(tell);
}

export function useNow(): number {
  return useSyncExternalStore(watch, () => moment);
}

export function useWindow(): Window & { period: Period } {
  const { params } = useLocation();
  const now = useNow();
  return useMemo(() => {
    const period = periodFrom(params);
    return { ...windowOf(period, now), period };
  }, [params, now]);
}

/** Refreshes as often as the URL says, but not while the tab is hidden. */
export function useAutoRefresh(): void {
  const { params, page } = useLocation();
  const every = parseDuration(refreshOf(params, page));
  useEffect(() => {
    if (!every) return;
    const timer = setInterval(() => document.hidden || refresh(), Math.max(every, 1000));
    return () => clearInterval(timer);
  }, [every]);
}
