// Sizes, calls, frames and memory. Frames are counted against those of an empty page in the same run, so that a busy
// machine changes both.
import assert from "node:assert/strict";
import { floodStream, until } from "./stage.mjs";

const tailSeconds = Number(process.env.SEINE_TAIL ?? 20);

/** Frames that the browser draws in a second while something is done in each. */
async function framesOf(page, each = () => {}, argument = null) {
  return page.evaluate(
    ([body, arg]) =>
      new Promise((done) => {
        const act = new Function("n", "arg", `return (${body})(n, arg)`);
        let n = 0;
        const begin = performance.now();
        const step = () => {
          act(n++, arg);
          if (performance.now() - begin < 2000) requestAnimationFrame(step);
          else done(Math.round((n / (performance.now() - begin)) * 1000));
        };
        requestAnimationFrame(step);
      }),
    [each.toString(), argument],
  );
}

const column = (field, kind, values) => ({ field, kind, unit: "", estimated: false, values });
const block = (columns) => ({ columns, rows: columns[0].values.length, truncated: false, losses: {} });

/** Answers what the page asks for with as many rows as a test needs: the demo does not have them. */
async function answer(page, wants, make) {
  await page.route("**/api/v1/query", async (route) => {
    const request = route.request().postDataJSON();
    if (wants(request)) await route.fulfill({ json: make(request) });
    else await route.continue();
  });
}

function manyRows(request, n, name = (i) => `pod-${i}`) {
  const now = Date.now();
  const value = {
    end: (i) => new Date(now - i).toISOString(),
    nat: () => "dnat",
    proto: () => "TCP",
    node: () => "worker-1",
  };
  return block(
    request.fields.map((f) =>
      column(
        f,
        f.endsWith("bytes") ? "bytes" : "name",
        Array.from({ length: n }, (_, i) =>
          (
            value[f] ??
            (f.endsWith("port") ? () => 1000 + (i % 60_000) : f.endsWith("bytes") ? () => i * 37 : () => name(i))
          )(i),
        ),
      ),
    ),
  );
}

/** A graph of 2,000 workloads and 5,000 edges between them. */
function manyEdges(request) {
  const ends = Array.from({ length: 5000 }, (_, i) => [
    i < 2000 ? i : (i * 7919) % 2000,
    i < 2000 ? (i * 31 + 1) % 2000 : (i * 104_729 + 1) % 2000,
  ]);
  const value = (f, [a, b], i) => {
    const at = f.startsWith("src.") ? a : b;
    if (f.endsWith(".kind")) return "Pod";
    if (f.endsWith(".namespace")) return `ns-${at % 40}`;
    if (f.endsWith("workload.name")) return `workload-${at}`;
    return i * 1000;
  };
  const columns = [
    ...request.group_by.map((f) =>
      column(
        f,
        "name",
        ends.map((e, i) => value(f, e, i)),
      ),
    ),
    ...request.measures.map((m) =>
      column(
        m,
        "count",
        ends.map((e, i) => value(m, e, i) + 1),
      ),
    ),
  ];
  return block(columns);
}

export const budgets = [
  {
    name: "the first load is at most 400 kB, and the overview makes at most 6 calls",
    async run({ open, demo }) {
      const page = await open("healthz");
      const sizes = new Map();
      const calls = [];
      page.on("response", async (r) => {
        const path = new URL(r.url()).pathname;
        if (path.startsWith("/api/")) calls.push(path);
        else sizes.set(path, Number((await r.allHeaders())["content-length"] ?? 0));
      });
      await page.goto(`${demo.url}?refresh=off`);
      await page.locator(".pairs .path").first().waitFor();
      await page.waitForLoadState("networkidle");
      const kB = [...sizes.values()].reduce((a, b) => a + b, 0) / 1000;
      assert.ok(sizes.size > 5 && kB > 100, `only ${sizes.size} files were counted`);
      assert.ok(kB <= 400, `${kB.toFixed(0)} kB`);
      assert.ok(calls.length <= 6, calls.join(" "));
      return `${kB.toFixed(0)} kB in ${sizes.size} files, ${calls.length} calls`;
    },
  },
  {
    name: "something is painted within a second, or within four times an empty page's time",
    async run({ open, demo }) {
      const page = await open("healthz");
      const paint = async (url) => {
        await page.goto(url);
        return until(
          10_000,
          () => page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime),
          "a first paint",
        );
      };
      const floor = await paint(`${demo.url}healthz`);
      const got = await paint(demo.url);
      assert.ok(got <= Math.max(1000, 4 * floor), `${got.toFixed(0)} ms, of plain text ${floor.toFixed(0)} ms`);
      return `${got.toFixed(0)} ms, plain text ${floor.toFixed(0)} ms`;
    },
  },
  {
    name: "10,000 rows scroll at 5/6 of an empty page's frames",
    async run({ open }) {
      const page = await open("healthz");
      const floor = await framesOf(page);
      await answer(
        page,
        (r) => r.fields && r.limit === 10_000,
        (r) => manyRows(r, 10_000),
      );
      await page.goto(page.url().replace("healthz", "flows?limit=10000"));
      await page.locator('.flow-table[aria-rowcount="10001"] [role="rowgroup"] [role="row"]').first().waitFor();
      const drawn = await page.locator('.flow-table [role="rowgroup"] [role="row"]').count();
      assert.ok(drawn < 100, `${drawn} rows are in the document`);
      const got = await framesOf(page, (n) => {
        document.querySelector(".flow-table").scrollTop = n * 97;
      });
      const top = await page.evaluate(() => document.querySelector(".flow-table").scrollTop);
      assert.ok(top > 1000, "the table did not scroll");
      assert.ok(got >= (floor * 5) / 6, `${got} frames a second, an empty page ${floor}`);
      return `${got} frames a second, an empty page ${floor}`;
    },
  },
  {
    name: "a map of 2,000 nodes and 5,000 edges pans at half of an empty page's frames",
    async run({ open }) {
      const page = await open("healthz");
      const floor = await framesOf(page);
      await answer(page, (r) => r.group_by?.includes("backend.workload.name"), manyEdges);
      await page.goto(page.url().replace("healthz", "map?refresh=off&services=0"));
      await page.getByText("2 000 nodes, ").waitFor({ timeout: 30_000 });
      await page.waitForTimeout(9000);
      const painted = () => page.locator(".map-canvas").getAttribute("data-frames").then(Number);
      const before = await painted();
      const got = await framesOf(page, (n) => {
        const canvas = document.querySelector(".map-canvas");
        const at = (type, x) =>
          canvas.dispatchEvent(new PointerEvent(type, { pointerId: 1, clientX: x, clientY: 400, bubbles: true }));
        if (n === 0) {
          canvas.setPointerCapture = () => {};
          at("pointerdown", 260);
        }
        at("pointermove", 300 + 150 * Math.sin(n / 20));
      });
      const drawn = (await painted()) - before;
      assert.ok(drawn >= got, `${drawn} pictures in two seconds of ${got} frames`);
      assert.ok(got >= floor / 2, `${got} frames a second, an empty page ${floor}`);
      return `${got} frames a second, an empty page ${floor}`;
    },
  },
  {
    name: "the live tail keeps its bounds and its memory under a flood",
    async run({ open }) {
      const page = await open("healthz");
      const flood = floodStream(40, 1000);
      await page.route("**/api/v1/tail*", (route) => route.fulfill({ contentType: "text/event-stream", body: flood }));
      await page.goto(page.url().replace("healthz", "flows?live=1"));
      const seen = () => page.locator("[data-seen]").getAttribute("data-seen").then(Number);
      const heap = async () => {
        await page.evaluate(() => globalThis.gc());
        return page.evaluate(() => performance.memory.usedJSHeapSize / 1e6);
      };
      await until(30_000, async () => (await seen()) >= 40_000, "the first flood");
      const before = await heap();
      await until(60_000, async () => (await seen()) >= 160_000, "more of the flood");
      const after = await heap();
      const kept = Number(await page.locator(".flow-table").getAttribute("aria-rowcount")) - 1;
      assert.equal(kept, 2000);
      assert.ok(after < before + 25, `the heap grew from ${before.toFixed(0)} to ${after.toFixed(0)} MB`);
      return `heap ${before.toFixed(0)} MB after 40,000 rows, ${after.toFixed(0)} MB after ${await seen()}`;
    },
  },
  {
    name: "memory is stable over a live tail of real rows",
    async run({ open }) {
      const page = await open("flows?live=1");
      const seen = () => page.locator("[data-seen]").getAttribute("data-seen").then(Number);
      await until(20_000, async () => (await seen()) > 100, "rows");
      const heap = async () => {
        await page.evaluate(() => globalThis.gc());
        return page.evaluate(() => performance.memory.usedJSHeapSize / 1e6);
      };
      const before = await heap();
      await page.waitForTimeout(tailSeconds * 1000);
      const after = await heap();
      assert.ok(
        after < before + 15,
        `the heap grew from ${before.toFixed(1)} to ${after.toFixed(1)} MB in ${tailSeconds} s`,
      );
      return `${before.toFixed(1)} MB, ${after.toFixed(1)} MB after ${tailSeconds} s and ${await seen()} rows`;
    },
  },
  {
    name: "names full of markup do nothing",
    async run({ open }) {
      const page = await open("healthz");
      const nasty = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>';
      await answer(
        page,
        (r) => r.fields && r.limit === 500,
        (r) => manyRows(r, 50, () => nasty),
      );
      await page.goto(page.url().replace("healthz", "flows"));
      await page.locator('.flow-table [role="rowgroup"] [role="row"]').first().waitFor();
      assert.ok((await page.locator(".flow-table").textContent()).includes(nasty));
      assert.equal(await page.locator(".flow-table img, .flow-table script").count(), 0);
      assert.equal(await page.evaluate(() => window.hit), undefined);
    },
  },
  {
    name: "the policy allows no inline script and no other host, and nothing asked for one",
    async run({ demo, foreign, errors }) {
      const answer = await fetch(demo.url);
      const policy = answer.headers.get("content-security-policy");
      assert.match(policy, /default-src 'none'/);
      assert.doesNotMatch(policy, /unsafe|\*|https?:/);
      assert.deepEqual(foreign, []);
      assert.deepEqual(errors, []);
    },
  },
];
