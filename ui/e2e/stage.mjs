// What the tests run on: the binary's demo cluster, a proxy that puts it below a path, and a browser.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const binary = new URL("../../bin/seine", import.meta.url).pathname;
const browserFlags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--js-flags=--expose-gc",
];

/** Starts the binary and waits until it serves. */
export async function start(args) {
  const child = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (piece) => {
    log += piece;
  });
  const ended = new Promise((done) => child.on("exit", done));
  const url = await until(
    90_000,
    () => /msg=serving api=(\S+)/.exec(log)?.[1],
    () => `${args[0]} does not serve:\n${log}`,
  );
  return {
    url: `${url}/`,
    log: () => log,
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Waits until something is so; what is waited for is told if it never is. */
export async function until(ms, check, what) {
  for (const end = Date.now() + ms; Date.now() < end; ) {
    const got = await check();
    if (got) return got;
    await new Promise((done) => setTimeout(done, 200));
  }
  throw new Error(typeof what === "function" ? what() : `never came: ${what}`);
}

/** A server that asks for a token, with an empty store. */
export async function startLocked(token) {
  const dir = mkdtempSync(join(tmpdir(), "seine-e2e-"));
  const tokens = join(dir, "tokens");
  writeFileSync(tokens, `${token}\n`, { mode: 0o600 });
  const args = ["server", "--listen", "127.0.0.1:0", "--agents-listen", "127.0.0.1:0"];
  const server = await start([...args, "--data-dir", join(dir, "data"), "--api-token-file", tokens]);
  return {
    ...server,
    stop: async () => {
      await server.stop();
      rmSync(dir, { recursive: true });
    },
  };
}

/** A proxy that serves a server below /some/path/, as an ingress would. */
export async function proxy(target) {
  const prefix = "/some/path";
  const server = http.createServer((request, response) => {
    if (!request.url.startsWith(`${prefix}/`)) {
      response.writeHead(404).end();
      return;
    }
    const url = new URL(request.url.slice(prefix.length), target);
    const passed = http.request(
      url,
      { method: request.method, headers: { ...request.headers, host: url.host } },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      },
    );
    passed.on("error", () => response.destroy());
    request.pipe(passed);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}${prefix}/`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A server of one stream: what the live tail makes of so many rows as fast as they come. */
export function floodStream(events, rowsAnEvent) {
  const column = (field, kind, value) => ({
    field,
    kind,
    unit: "",
    estimated: false,
    values: Array.from({ length: rowsAnEvent }, (_, i) => value(i)),
  });
  const now = new Date().toISOString();
  const event = (n) => ({
    columns: [
      column("end", "time", () => now),
      column("node", "name", () => "worker-1"),
      column("proto", "proto", () => "TCP"),
      column("src.addr", "addr", (i) => `10.0.${n % 256}.${i % 256}`),
      column("src.port", "port", (i) => 1024 + i),
      column("dst.addr", "addr", () => "10.96.0.1"),
      column("dst.port", "port", () => 443),
      column("src.name", "name", (i) => `pod-${n}-${i}`),
    ],
    rows: rowsAnEvent,
    truncated: false,
    losses: {},
  });
  return Array.from({ length: events }, (_, n) => `event: rows\ndata: ${JSON.stringify(event(n))}\n\n`).join("");
}

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: browserFlags });
}
