// What pages ask, as hooks. Answers stay on the screen while newer ones are on their way.
import { keepPreviousData, QueryClient, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useNow, useWindow } from "../state/clock";
import { formatDuration } from "../state/period";
import { useLocation } from "../state/url";
import * as client from "./client";
import type { Field, Request } from "./types";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (count, error) => count < 2 && (error as client.ApiError).status === 503,
      retryDelay: 800,
      refetchOnWindowFocus: false,
      staleTime: 60_000,
      gcTime: 120_000,
    },
  },
});

/** The fields of a dataset, by name and in the table's order. */
export class Fields {
  readonly byName: Map<string, Field>;
  constructor(readonly list: Field[]) {
    this.byName = new Map(list.map((f) => [f.name, f]));
  }
  get(name: string): Field | undefined {
    return this.byName.get(name);
  }
  has(...names: string[]): boolean {
    return names.every((n) => this.byName.has(n));
  }
}

const none = new Fields([]);

export function useFields(dataset = "flows") {
  const answer = useQuery({
    queryKey: ["fields", dataset],
    queryFn: ({ signal }) => client.fields(dataset, signal),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
  });
  const fields = useMemo(() => (answer.data ? new Fields(answer.data.fields) : none), [answer.data]);
  return { ...answer, fields };
}

/** Asks for the period and the filter of the page, unless the request has its own. */
export function useBlock(request: Request | null, options: { filter?: string; enabled?: boolean } = {}) {
  const { params } = useLocation();
  const w = useWindow();
  const full: Request = {
    from: new Date(w.from).toISOString(),
    to: new Date(w.to).toISOString(),
    filter: options.filter ?? params.get("q") ?? "",
    ...request,
  };
  return useQuery({
    queryKey: ["query", full],
    queryFn: ({ signal }) => client.query(full, signal),
    placeholderData: keepPreviousData,
    enabled: request !== null && options.enabled !== false,
  });
}

export function useStatus() {
  const now = useNow();
  return useQuery({
    queryKey: ["status", now],
    queryFn: ({ signal }) => client.status(signal),
    placeholderData: keepPreviousData,
  });
}

export function useHealth() {
  const w = useWindow();
  const last = formatDuration(w.to - w.from);
  // A period up to now ends by the server's clock.
  const to = "to" in w.period ? new Date(w.to).toISOString() : undefined;
  return useQuery({
    queryKey: ["health", w.to, last],
    queryFn: ({ signal }) => client.health({ last, to }, signal),
    placeholderData: keepPreviousData,
    retry: false,
  });
}
