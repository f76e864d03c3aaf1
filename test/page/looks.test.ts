/** The looks of the page in VS Code's themes: no fault that axe-core finds, nothing wider than a narrow view, pictures to look at. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Browser, Page } from "playwright-core";
import { findChromium } from "../../scripts/chromium.mjs";
import { openBrowser, screenshot } from "../vscode/host/browser.ts";
import { skipUnless } from "../vscode/host/skip.ts";
import { openPage } from "./pageHost.ts";
import type { PageOptions, Theme } from "./pageHost.ts";
import { scenes } from "./scenes.ts";

const themes: readonly Theme[] = ["dark", "light", "highContrast", "highContrastLight"];
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe-core finds, one line per place. */
async function faults(page: Page): Promise<readonly string[]> {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() =>
    (window as unknown as { axe: { run: () => Promise<AxeResults> } }).axe.run(),
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)}: ${failureSummary?.split("\n")[1] ?? ""}`),
  );
}

/** What is wider than the view, as selectors. */
function tooWide(page: Page): Promise<readonly string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll("#app, #app *")]
      .filter((element) => {
        const { right, width } = element.getBoundingClientRect();
        const cut = element.parentElement?.closest("pre, .diff, .table, .thinking summary, .visually-hidden") ?? null;
        return width > 0 && right > window.innerWidth + 1 && cut === null;
      })
      .map((element) => `${element.tagName}.${element.className}`),
  );
}

describe("the looks of the page of a session", function () {
  this.timeout(120_000);
  let browser: Browser;

  before(async function () {
    skipUnless(this, findChromium() !== undefined, "there is no Chromium: apt-get install chromium");
    browser = await openBrowser();
  });
  after(() => browser?.close());

  async function look<T>(options: PageOptions, at: (page: Page) => Promise<T>): Promise<T> {
    const host = await openPage(browser, options);
    try {
      await host.page.locator(".row").first().or(host.page.locator("header")).first().waitFor();
      await host.page.waitForTimeout(150);
      return await at(host.page);
    } finally {
      await host.close();
    }
  }

  for (const theme of themes) {
    for (const [name, scene] of Object.entries(scenes)) {
      it(`has no fault that axe-core finds: ${name}, ${theme}`, async () => {
        const found = await look({ ...scene(), theme }, async (page) => {
          await screenshot(page, `page-${name}-${theme}`);
          return faults(page);
        });
        assert.deepEqual(found, []);
      });
    }
  }

  for (const [name, scene] of Object.entries(scenes)) {
    it(`fits into a narrow view: ${name}`, async () => {
      const found = await look({ ...scene(), theme: "dark", size: { width: 320, height: 640 } }, async (page) => {
        await screenshot(page, `page-${name}-narrow`);
        return tooWide(page);
      });
      assert.deepEqual(found, []);
    });
  }
});
