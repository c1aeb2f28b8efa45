// What people do with the console.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { until } from "./stage.mjs";

const rows = '.flow-table [role="rowgroup"] [role="row"]';
const query = (page) => new URL(page.url()).searchParams;

export const journeys = [
  {
    name: "a filter that is typed becomes a chip, is applied, and a link shares it",
    async run({ open, ask }) {
      const page = await open("flows");
      await page.locator(rows).first().waitFor();
      await page.keyboard.press("/");
      await page.keyboard.type("dst.serv");
      await page
        .getByRole("option", { name: /^dst\.service/ })
        .first()
        .waitFor();
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Enter");
      await page.getByRole("option", { name: /"checkout"/ }).waitFor();
      await page.keyboard.type("== checkout");
      await page.keyboard.press("Enter");
      await page.locator(".chip", { hasText: "checkout" }).waitFor();
      assert.equal(query(page).get("q"), 'dst.service == "checkout"');
      await page.waitForFunction(
        (s) =>
          document.querySelectorAll(s).length > 0 &&
          [...document.querySelectorAll(`${s} .dialled`)].every((e) => e.textContent.includes("checkout")),
        rows,
      );
      const shared = await open(page.url().replace(/^.*\/flows/, "flows"));
      await shared.locator(".chip", { hasText: "checkout" }).waitFor();
      await shared.locator(rows).first().waitFor();
      const [count] = await ask({ measures: ["count()"], filter: 'dst.service == "checkout"', last: "15m" });
      return `${count[0]} records`;
    },
  },
  {
    name: "chips and text are two views of one filter, and a wrong one is explained",
    async run({ open }) {
      const page = await open("flows");
      await page.getByRole("button", { name: "Edit as text (CEL)" }).click();
      await page
        .getByRole("textbox", { name: "Filter as a CEL expression" })
        .fill('src.namespace == "tools" && (dst.port == 53 || dst.port == 80)');
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: "Show as chips" }).click();
      assert.equal(await page.locator(".chip").count(), 2);
      await page.getByRole("button", { name: "Exchange client and server" }).click();
      await page.waitForURL(/dst\.namespace/);
      await page.goto(page.url().replace(/q=[^&]*/, "q=src.nam%20%3D%3D%20%22x%22"));
      await page.getByText("did you mean").first().waitFor();
    },
  },
  {
    name: "only this and not this, from a cell",
    async run({ open }) {
      const page = await open("flows");
      const cell = page.locator(`${rows} [data-field="proto"]`).first();
      await cell.waitFor();
      const value = await cell.textContent();
      await cell.hover();
      await cell.getByRole("button", { name: /^Only/ }).click();
      await page.waitForURL(/q=/);
      assert.equal(query(page).get("q"), `proto == "${value}"`);
      await page
        .locator(".chip")
        .getByRole("button", { name: /^Condition/ })
        .click();
      await page.getByRole("menuitem", { name: "All but these" }).click();
      await page.waitForFunction(() => location.search.includes("%21%3D"));
      assert.equal(query(page).get("q"), `proto != "${value}"`);
    },
  },
  {
    name: "the live tail grows, and stands while it is paused",
    async run({ open }) {
      const page = await open("flows?live=1");
      const seen = () => page.locator("[data-seen]").getAttribute("data-seen").then(Number);
      const first = await until(15_000, seen, "rows of the live tail");
      await until(15_000, async () => (await seen()) > first, "more rows of the live tail");
      await page.getByRole("button", { name: "Pause" }).click();
      const top = await page.locator(rows).first().textContent();
      const at = await seen();
      await until(15_000, async () => (await seen()) > at, "rows that wait");
      assert.equal(await page.locator(rows).first().textContent(), top);
      await page.getByRole("button", { name: /^Go on/ }).click();
      await until(10_000, async () => (await page.locator(rows).first().textContent()) !== top, "rows after the pause");
    },
  },
  {
    name: "an edge of the map leads to its connections, and on to the backend pod",
    async run({ open }) {
      const page = await open("map");
      const edge = page
        .locator(
          '[data-edge^="workload:shop/frontend>service/shop/checkout"], [data-edge^="workload:tools/visitor>service/shop/payments"]',
        )
        .first();
      await edge.click();
      await page.getByText("Backend, which answers").first().waitFor();
      assert.ok(query(page).get("sel"));
      await page.getByRole("link", { name: "The connections behind it" }).click();
      await page.waitForURL(/\/flows\?/);
      await page.locator(rows, { hasText: "⇒" }).first().click();
      const backend = page.locator('.details .stop[data-look="backend"] strong');
      await backend.waitFor();
      const name = await backend.textContent();
      assert.match(name, /^shop\/(checkout|payments)-/);
      assert.ok(query(page).get("row"));
      return name;
    },
  },
  {
    name: "the map groups, finds, shows neighbours, expands a workload into pods, and is saved as SVG",
    async run({ open }) {
      const page = await open("map");
      await page.locator("[data-edge]").first().waitFor();
      await page.getByRole("combobox", { name: "Nodes are" }).selectOption("node");
      await page.waitForURL(/by=node/);
      await page
        .getByRole("button", { name: /worker-1/ })
        .first()
        .waitFor();
      await page.goBack();
      await page.getByRole("textbox", { name: "Find a node" }).fill("payments");
      await page.keyboard.press("Enter");
      await page.waitForURL(/sel=/);
      await page.goto(page.url().replace(/sel=[^&]*/, "sel=workload%3Ashop%2Fpayments"));
      await page.getByRole("button", { name: "Neighbours only" }).click();
      await page.waitForURL(/near=1/);
      await page.getByRole("button", { name: "Show pods" }).click();
      await page
        .getByRole("button", { name: /payments-[a-z0-9]+-/ })
        .first()
        .waitFor();
      const download = page.waitForEvent("download");
      await page.getByRole("button", { name: "Save the picture" }).click();
      await page.getByRole("menuitem", { name: "SVG" }).click();
      const svg = readFileSync(await (await download).path(), "utf8");
      assert.match(svg, /^<svg [\s\S]*payments-[\s\S]*<\/svg>\s*$/);
    },
  },
  {
    name: "the CSV export has what the API answers",
    async run({ open, ask }) {
      const to = new Date(Date.now() - 5000);
      const from = new Date(to - 20_000);
      const page = await open(`flows?from=${from.toISOString()}&to=${to.toISOString()}&q=proto%20%3D%3D%20%22TCP%22`);
      await page.locator(rows).first().waitFor();
      const download = page.waitForEvent("download");
      await page.getByRole("button", { name: "Export" }).click();
      await page.getByRole("menuitem", { name: /^CSV, all fields/ }).click();
      const csv = readFileSync(await (await download).path(), "utf8")
        .trim()
        .split("\n");
      const [start] = await ask({
        from: from.toISOString(),
        to: to.toISOString(),
        filter: 'proto == "TCP" && primary',
        fields: ["start"],
        limit: 100_000,
      });
      assert.equal(csv.length - 1, start.length);
      const columns = csv[0].split(",");
      for (const name of ["src.addr", "backend.addr", "total.bytes"])
        assert.ok(columns.includes(name), `no column ${name}`);
      const line = csv[1].split(",");
      assert.equal(line[columns.indexOf("start")], start[0]);
      assert.ok(start.length > 0);
      return `${start.length} rows`;
    },
  },
  {
    name: "which backend answered the failing Service, from the overview, in six steps",
    async run({ open }) {
      const page = await open("");
      await page.locator(".finding", { hasText: "checkout" }).first().click();
      await page.waitForURL(/\/flows\?/);
      await page.locator(rows).first().click();
      await page.locator('.details .stop[data-look="backend"] strong', { hasText: "checkout-" }).waitFor();
    },
  },
  {
    name: "a finding of the health page is the API's, and leads to the records behind it",
    async run({ open, demo }) {
      const page = await open("health");
      const line = page.locator(".finding", { hasText: "checkout" }).first();
      const shown = (await line.textContent()).replaceAll("\u00a0", " ");
      const { findings } = await (await fetch(`${demo.url}api/v1/health?last=15m`)).json();
      const whom = findings.map((f) => f.sentence.split(":")[0]);
      assert.ok(
        whom.some((w) => shown.includes(`${w}:`)),
        `${shown} is of none of ${whom}`,
      );
      await line.click();
      await page.waitForURL(/\/flows\?/);
      await page.locator(rows).first().waitFor();
      return shown;
    },
  },
  {
    name: "everything is reached by keys",
    async run({ open }) {
      const page = await open("");
      await page.getByRole("heading", { name: "Overview" }).waitFor();
      await page.keyboard.press("?");
      await page.getByRole("dialog", { name: "Keys" }).waitFor();
      await page.keyboard.press("Escape");
      await page.keyboard.press("g");
      await page.keyboard.press("f");
      await page.waitForURL(/\/flows/);
      await page.locator(rows).first().waitFor();
      await page.keyboard.press("j");
      await page.keyboard.press("Enter");
      await page.getByRole("complementary", { name: "Details of the connection" }).waitFor();
      await page.keyboard.press("Escape");
      await page.waitForFunction(() => !location.search.includes("row="));
      const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
      await page.keyboard.press("t");
      assert.equal(await theme(), "light");
      await page.keyboard.press("g");
      await page.keyboard.press("m");
      await page.getByRole("heading", { name: "Map" }).waitFor();
    },
  },
  {
    name: "dragging across a chart makes that the period",
    async run({ open }) {
      const page = await open("flows?last=5m");
      const chart = page.locator(".histogram .u-over");
      const box = await chart.boundingBox();
      await page.mouse.move(box.x + box.width * 0.5, box.y + 20);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.9, box.y + 20, { steps: 5 });
      await page.mouse.up();
      await page.waitForURL(/from=.*to=|to=.*from=/);
      const length = Date.parse(query(page).get("to")) - Date.parse(query(page).get("from"));
      assert.ok(length > 60_000 && length < 200_000, `${length} ms`);
    },
  },
  {
    name: "it works below the path of a proxy",
    async run({ open, below }) {
      const page = await open("flows?last=5m", { base: below.url });
      await page.locator(rows).first().waitFor();
      await page.getByRole("link", { name: "Map" }).click();
      await page.waitForURL(`${below.url}map*`);
      await page.locator("[data-edge]").first().waitFor();
      await page.reload();
      await page.locator("[data-edge]").first().waitFor();
    },
  },
  {
    name: "it asks for a token where the API does",
    async run({ open, locked, token }) {
      const page = await open("status", { base: locked.url });
      const field = page.getByLabel("Bearer token");
      await field.fill("not-the-token-of-this-server");
      await page.keyboard.press("Enter");
      await page.getByText("not accepted").waitFor();
      await field.fill(token);
      await page.keyboard.press("Enter");
      await page.getByText("Capture and store work").waitFor();
      await page.getByText("No agent has connected").waitFor();
      assert.equal(await page.evaluate(() => localStorage.length), 0);
      await page.goto(`${locked.url}map`);
      await page.getByText("Nothing to draw").waitFor();
    },
  },
];
