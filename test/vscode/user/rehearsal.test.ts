/** A person without a key: the rehearsal mends the sample project, asking before it runs or changes anything. */
import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import type { Browser, Page } from "playwright-core";
import { openBrowser, openWorkbench, screenshot } from "../host/browser.ts";
import { startCodeServer } from "../host/codeServer.ts";
import type { TestServer } from "../host/codeServer.ts";
import { isIdle, logShows, newSession, sampleCopy, say, sessionPage } from "./many.ts";

describe("the rehearsal in the sample workspace", function () {
  this.timeout(240_000);
  const sample = sampleCopy();
  let server: TestServer;
  let browser: Browser;
  let page: Page;

  before(async () => {
    server = await startCodeServer({
      workspace: sample.folder,
      settings: { "manyHands.model.provider": "rehearsal" },
    });
    browser = await openBrowser();
    page = await browser.newPage({ viewport: { width: 1300, height: 900 } });
    await openWorkbench(page, server.url);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    sample.remove();
  });

  it("shows a welcome with what can be done when there is no session", async () => {
    await page.locator('.activitybar [aria-label^="Many Hands"]').first().click();
    await page.getByRole("button", { name: "New Session" }).first().waitFor({ timeout: 60_000 });
    await screenshot(page, "welcome");
  });

  it("asks before each command and change, and ends with a test that passes", async () => {
    assert.notEqual(spawnSync("sh", ["test.sh"], { cwd: sample.folder }).status, 0, "the sample's test fails at first");
    const frame = await newSession(page);
    await say(frame, "Find out why the test fails, and fix it.");
    let asked = 0;
    const allow = frame.getByRole("button", { name: "Allow", exact: true });
    for (const deadline = Date.now() + 120_000; Date.now() < deadline;) {
      if (asked > 0 && (await logShows(server.userDataDir, () => true).then(isIdle))) break;
      if (await allow.first().isVisible()) {
        asked += 1;
        if (asked <= 2) await screenshot(page, `approval-${asked}`);
        await allow.first().click();
      }
      await page.waitForTimeout(150);
    }
    await logShows(server.userDataDir, isIdle, 10_000);
    await page.waitForTimeout(500);
    await screenshot(page, "rehearsal-done");
    assert.ok(asked >= 3, `the person was asked ${asked} times`);
    assert.equal(spawnSync("sh", ["test.sh"], { cwd: sample.folder }).status, 0, "the sample's test passes in the end");
    await frame.getByText("Rehearsal", { exact: true }).waitFor();
  });

  it("shows the change in the diff editor", async () => {
    const frame = await sessionPage(page);
    await frame.getByRole("button", { name: "Open diff" }).first().click();
    await page.locator(".monaco-diff-editor").waitFor({ timeout: 30_000 });
    await page.waitForTimeout(1_000);
    await screenshot(page, "diff");
  });
});
