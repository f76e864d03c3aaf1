// Drives the workbench in Chromium as a person would: opens it, runs commands, looks into webviews, takes pictures.
import { mkdirSync } from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";
import type { Browser, Frame, Page } from "playwright-core";
import { findChromium } from "../../../scripts/chromium.mjs";
import { root } from "../../../scripts/pinnedNode.mjs";

const patienceMs = 120_000;
const resultsFolder: string = path.join(root, "test-results");

const chromiumFlags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A headless Chromium; throws where there is none. */
export async function openBrowser(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error("there is no Chromium on this computer");
  return chromium.launch({ executablePath, args: chromiumFlags });
}

/** Opens an address of the workbench and resolves when the workbench can be used; extensions may still be starting. */
export async function openWorkbench(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await workbenchReady(page);
}

/** Reloads the page, which ends the extension host and starts another, and resolves when the workbench can be used again. */
export async function reloadWorkbench(page: Page): Promise<void> {
  await page.reload();
  await workbenchReady(page);
}

async function workbenchReady(page: Page): Promise<void> {
  await page.locator(".monaco-workbench .part.statusbar").waitFor({ timeout: patienceMs });
}

/**
 * Runs a command from the command palette by its title, for instance "Many Hands: New Session".
 * Waits until the palette offers it, so it can be called while extensions are still starting.
 */
export async function runCommand(page: Page, title: string): Promise<void> {
  const row = page
    .locator(".quick-input-list .monaco-list-row")
    .and(page.getByRole("option", { name: title }))
    .first();
  for (const deadline = Date.now() + patienceMs; ;) {
    await page.keyboard.press("F1");
    await page.locator(".quick-input-widget input").first().fill(`>${title}`);
    try {
      await row.waitFor({ timeout: 3_000 });
      break;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await page.keyboard.press("Escape");
    }
  }
  await row.click();
}

/** The document inside the webview whose title matches; waits until it is there. */
export async function webviewFrame(page: Page, title: string | RegExp): Promise<Frame> {
  for (const deadline = Date.now() + patienceMs; ; await page.waitForTimeout(100)) {
    for (const outer of await page.locator("iframe.webview.ready").elementHandles()) {
      const host = await outer.contentFrame().catch(() => null);
      const inner = await host?.$("#active-frame").catch(() => null);
      const found = (await inner?.getAttribute("title").catch(() => null)) ?? "";
      if (typeof title === "string" ? found !== title : !title.test(found)) continue;
      const frame = await inner?.contentFrame();
      if (frame) return frame;
    }
    if (Date.now() > deadline) throw new Error(`no webview is titled ${String(title)}`);
  }
}

/** Writes `test-results/<name>.png` and returns its path. */
export async function screenshot(page: Page, name: string): Promise<string> {
  mkdirSync(resultsFolder, { recursive: true });
  const file = path.join(resultsFolder, `${name}.png`);
  await page.screenshot({ path: file });
  return file;
}
