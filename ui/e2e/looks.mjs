// Every page, as it looks and as assistive technology has it.
import assert from "node:assert/strict";
import axe from "axe-core";

const pages = [
  { path: "", shows: ".pairs .path" },
  { path: "map", shows: "[data-edge]" },
  { path: "flows", shows: '.flow-table [role="rowgroup"] [role="row"]' },
  { path: "health", shows: ".finding, .list .path" },
  { path: "dns", shows: ".list .path, .empty" },
  { path: "cost", shows: ".list .path, .sankey li" },
  { path: "status", shows: ".features li" },
];

const sizes = [
  { name: "wide", viewport: { width: 1440, height: 900 } },
  { name: "phone", viewport: { width: 390, height: 844 } },
];

/** What axe finds of the two worst kinds. */
async function violations(page) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  return found.violations
    .filter((v) => ["serious", "critical"].includes(v.impact))
    .map(
      (v) =>
        `${v.id}: ${v.help}: ${v.nodes
          .slice(0, 3)
          .map((n) => n.html.slice(0, 160))
          .join(" | ")}`,
    );
}

async function look(stage, page, size, scheme) {
  const shown = await stage.open(page.path, { viewport: size.viewport, colorScheme: scheme });
  await shown.locator(page.shows).first().waitFor();
  await shown.waitForTimeout(700);
  const wide = await shown.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  await shown.screenshot({ path: `${stage.shots}${page.path || "overview"}-${size.name}-${scheme}.png` });
  assert.ok(wide <= 0, `${size.name} ${scheme}: the page is ${wide} px wider than the screen`);
  assert.deepEqual(await violations(shown), [], `${size.name} ${scheme}`);
  await shown.context().close();
}

export const looks = pages.map((page) => ({
  name: `${page.path || "overview"} shows data, fits, and axe finds nothing serious`,
  async run(stage) {
    for (const size of sizes) for (const scheme of ["dark", "light"]) await look(stage, page, size, scheme);
  },
}));

looks.push({
  name: "details, menus, dialogs and empty states, too",
  async run(stage) {
    const page = await stage.open("flows");
    await page.locator(`${pages[2].shows} >> nth=2`).click();
    await page.locator(".details .stop").first().waitFor();
    await page.waitForTimeout(500);
    await page.screenshot({ path: `${stage.shots}details-wide-dark.png` });
    assert.deepEqual(await violations(page), [], "details");
    await page.getByRole("button", { name: "Columns" }).click();
    assert.deepEqual(await violations(page), [], "columns");
    await page.screenshot({ path: `${stage.shots}columns-wide-dark.png` });
    const empty = await stage.open("flows?q=src.name%20%3D%3D%20%22nobody%22");
    await empty.getByText("No connections").waitFor();
    assert.deepEqual(await violations(empty), [], "empty");
    const wrong = await stage.open("?q=src.nam%20%3D%3D%201");
    await wrong.getByText("did you mean").first().waitFor();
    assert.deepEqual(await violations(wrong), [], "error");
    await wrong.screenshot({ path: `${stage.shots}error-wide-dark.png` });
  },
});
