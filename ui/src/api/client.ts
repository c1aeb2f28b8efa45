// Requests to the API, relative to where the console itself was loaded from.
import type { Block, FieldTable, Health, Request, Status } from "./types";

/** The folder that index.html is in: the console works below any path. */
export const base = new URL(".", document.baseURI);

/** An error as the API tells it: what, of which kind, what to do, and where in the filter. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly kind = "",
    readonly hint = "",
    readonly position?: { line: number; column: number; offset: number },
  ) {
    super(message);
  }
}

const tokenKey = "seine.token";
let token = sessionStorage.getItem(tokenKey) ?? "";
let skew = 0;
const watchers = new Set<() => void>();
let locked = false;

/** The token goes with the tab: it is not kept on disk. */
export function setToken(text: string): void {
  token = text;
  sessionStorage.setItem(tokenKey, text);
  setLocked(false);
}

export function hasToken(): boolean {
  return token !== "";
}

function setLocked(now: boolean): void {
  if (locked === now) return;
  locked = now;
  for (const tell of watchers) tell();
}

export function isLocked(): boolean {
  return locked;
}

export function watchLock(tell: () => void): () => void {
  watchers.add(tell);
  return () => watchers.delete(tell);
}

/** The server's clock, which the records' times are of. */
export function serverNow(): number {
  return Date.now() + skew;
}

function noteClock(response: Response): void {
  const told = Date.parse(response.headers.get("Date") ?? "");
  if (Number.isNaN(told)) return;
  const off = told - Date.now();
  skew = Math.abs(off) > 3000 ? off : 0;
}

export function apiUrl(path: string, parameters: Record<string, string | undefined> = {}): URL {
  const url = new URL(`api/v1/${path}`, base);
  for (const [name, value] of Object.entries(parameters)) if (value) url.searchParams.set(name, value);
  return url;
}

/** Sends a request. An answer other than 2xx is thrown as an ApiError. */
export async function send(url: URL, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  let response: Response;
  try {
    response = await fetch(url, { ...init, headers, credentials: "same-origin" });
  } catch (failed) {
    if ((failed as Error).name === "AbortError") throw failed;
    throw new ApiError(
      "Seine does not answer",
      0,
      "unreachable",
      `Is it still running? It was asked at ${url.origin}.`,
    );
  }
  noteClock(response);
  if (response.ok) return response;
  if (response.status === 401) setLocked(true);
  throw await errorOf(response);
}

async function errorOf(response: Response): Promise<ApiError> {
  const fallback = `${response.status} ${response.statusText}`.trim();
  try {
    const told = await response.json();
    return new ApiError(told.error || fallback, response.status, told.kind, told.hint, told.position);
  } catch {
    return new ApiError(fallback, response.status);
  }
}

async function get<T>(path: string, parameters: Record<string, string | undefined>, signal?: AbortSignal): Promise<T> {
  return (await send(apiUrl(path, parameters), { signal })).json();
}

/** The server runs four queries at once for everybody: a page takes three of them, and keeps the others waiting here. */
const places = 3;
let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= places) await new Promise<void>((go) => waiting.push(go));
  running++;
  try {
    return await work();
  } finally {
    running--;
    waiting.shift()?.();
  }
}

export function query(request: Request, signal?: AbortSignal): Promise<Block> {
  return inTurn(() => ask(request, signal));
}

async function ask(request: Request, signal?: AbortSignal): Promise<Block> {
  signal?.throwIfAborted();
  const body = JSON.stringify(request);
  const init = { method: "POST", body, signal, headers: { "Content-Type": "application/json" } };
  return (await send(apiUrl("query"), init)).json();
}

export const fields = (dataset: string, signal?: AbortSignal) => get<FieldTable>("fields", { dataset }, signal);

/** The status, and when the server told it, by its own clock. */
export async function status(signal?: AbortSignal): Promise<Status> {
  const response = await send(apiUrl("status"), { signal });
  const told = Date.parse(response.headers.get("Date") ?? "");
  return { ...(await response.json()), told: Number.isNaN(told) ? serverNow() : told };
}

export const health = (p: { last?: string; to?: string }, signal?: AbortSignal) => get<Health>("health", p, signal);
export const values = (p: Record<string, string | undefined>, signal?: AbortSignal) =>
  get<{ values: { value: string; rows: number }[] }>("values", p, signal);
