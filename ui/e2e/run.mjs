// The console in a headless browser, with real traffic of the demo cluster. Ends with "N passed, N failed".
// SEINE_TAIL=300 follows the live tail for so many seconds in place of 20; ONLY=word runs the tests whose names have it.
import { mkdirSync } from "node:fs";
import { budgets } from "./budgets.mjs";
import { journeys } from "./journeys.mjs";
import { looks } from "./looks.mjs";
import { launch, proxy, start, startLocked, until } from "./stage.mjs";

const shots = new URL("../shots/", import.meta.url).pathname;
const token = "a-token-for-the-tests-of-the-console";

async function setUp() {
  mkdirSync(shots, { recursive: true });
  const demo = await start([
    "demo",
    "--listen",
    "127.0.0.1:0",
    "-o",
    "csv",
    "--fault",
    "checkout-down",
    "--fault",
    "payments-slow",
  ]);
  const locked = await startLocked(token);
  const below = await proxy(demo.url);
  const browser = await launch();
  const stage = { demo, locked, below, browser, shots, token, foreign: [], errors: [] };
  await until(
    60_000,
    async () => (await ask(demo.url, { measures: ["count()"], last: "5m" }))[0][0] > 250,
    "250 records of the demo",
  );
  return stage;
}

/** Asks the API of a server; the values of each column. */
async function ask(url, request) {
  const answer = await fetch(`${url}api/v1/query`, { method: "POST", body: JSON.stringify(request) });
  return (await answer.json()).columns.map((c) => c.values);
}

/** A page that notes what must not happen: errors, and requests to other hosts. */
async function open(stage, path = "", options = {}) {
  const { base = stage.demo.url, ...rest } = options;
  const context = await stage.browser.newContext({
    viewport: { width: 1440, height: 900 },
    colorScheme: "dark",
    acceptDownloads: true,
    ...rest,
  });
  const page = await context.newPage();
  page.on("pageerror", (e) => stage.errors.push(`${path}: ${e.message}`));
  page.on("console", (m) => {
    const expected = /status of (400|401)/.test(m.text()) || m.location().url.endsWith("/favicon.ico");
    if (m.type() === "error" && !expected) stage.errors.push(`${path}: ${m.text()}`);
  });
  page.on("request", (r) => {
    const url = new URL(r.url());
    if (url.protocol.startsWith("http") && url.host !== new URL(base).host) stage.foreign.push(r.url());
  });
  page.setDefaultTimeout(15_000);
  await page.goto(base + path);
  return page;
}

async function main() {
  const stage = await setUp();
  stage.open = (path, options) => open(stage, path, options);
  stage.ask = (request) => ask(stage.demo.url, request);
  const wanted = process.env.ONLY ?? "";
  const tests = [...journeys, ...looks, ...budgets].filter((t) => t.name.includes(wanted));
  const began = Date.now();
  let failed = 0;
  for (const test of tests) {
    const before = stage.browser.contexts();
    try {
      const said = await test.run(stage);
      console.log(`ok    ${test.name}${said ? `: ${said}` : ""}`);
    } catch (why) {
      failed++;
      console.log(`FAIL  ${test.name}: ${why.stack ?? why}`);
    }
    for (const c of stage.browser.contexts()) if (!before.includes(c)) await c.close();
  }
  await stage.browser.close();
  stage.below.stop();
  await Promise.all([stage.demo.stop(), stage.locked.stop()]);
  console.log(`${Math.round((Date.now() - began) / 1000)} s; screenshots are in ui/shots`);
  console.log(`${tests.length - failed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

await main();
