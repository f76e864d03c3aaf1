/** Hands as a person meets them in VS Code: the view, a wrong spec, a test, files in an editor, the guided add. */
import { strict as assert } from "node:assert";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { openBrowser, openWorkbench, reloadWorkbench, runCommand, screenshot } from "../host/browser.ts";
import { startCodeServer } from "../host/codeServer.ts";
import type { TestServer } from "../host/codeServer.ts";
import { newSession, sampleCopy } from "./many.ts";

const SSH_CONFIG = `Include more/*.conf
Host *.internal
  ProxyJump bastion
Host bastion
  HostName 203.0.113.7
  User deploy
`;

describe("hands in VS Code", function () {
  this.timeout(240_000);
  this.bail(true);
  const sample = sampleCopy();
  const scratch = mkdtempSync(join(tmpdir(), "many-hands-far-"));
  const home = join(scratch, "home");
  const far = join(scratch, "far away");
  const settingsFile = join(sample.folder, ".vscode", "settings.json");
  const farFile = join(far, "README.md");
  let server: TestServer;
  let browser: Browser;
  let page: Page;

  before(async () => {
    for (const folder of [far, join(far, "logs"), join(home, ".ssh", "more"), join(sample.folder, ".vscode")]) {
      mkdirSync(folder, { recursive: true });
    }
    writeFileSync(farFile, "# Far away\n\nThis file is at the far end.\n");
    writeFileSync(join(home, ".ssh", "config"), SSH_CONFIG);
    writeFileSync(join(home, ".ssh", "more", "lab.conf"), 'Host lab "gpu box"\n  HostName lab.example.org\n');
    const hands = [
      { name: "box", kind: "command", options: { argv: ["sh"], cwd: far } },
      { name: "two words", kind: "command", options: { argv: ["sh"] } },
    ];
    writeFileSync(settingsFile, `// Of this project.\n${JSON.stringify({ "manyHands.hands": hands }, null, 2)}\n`);
    server = await startCodeServer({
      workspace: sample.folder,
      settings: { "manyHands.model.provider": "rehearsal" },
      env: { HOME: home },
    });
    browser = await openBrowser();
    page = await browser.newPage({ viewport: { width: 1300, height: 900 } });
    await openWorkbench(page, server.url);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    sample.remove();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  });

  afterEach(async function () {
    if (this.currentTest?.state === "failed") await screenshot(page, "hands-failed");
  });

  const row = (name: RegExp): Locator => page.getByRole("treeitem", { name }).first();
  const option = (name: RegExp): Locator => page.locator(".quick-input-list").getByRole("option", { name }).first();
  const notification = (text: RegExp): Locator => page.locator(".notifications-toasts").getByText(text).first();

  /** In its first moment a menu takes a click for the one that has opened it. */
  async function chooseInMenu(name: RegExp): Promise<void> {
    const item = page.getByRole("menuitem", { name }).first();
    await item.waitFor();
    while (await item.isVisible()) {
      await item.click({ timeout: 3_000 }).catch(() => {});
      await item.waitFor({ state: "hidden", timeout: 1_000 }).catch(() => {});
    }
  }

  it("lists the hands of the settings beside what is wrong with one", async () => {
    await page.locator('.activitybar [aria-label^="Many Hands"]').first().click();
    await row(/^box, command/).waitFor({ timeout: 60_000 });
    await row(/hands\[1\]\.name: A hand needs a name/).waitFor();
    await screenshot(page, "hands-view");
  });

  it("shows a wrong spec at its place in the settings", async () => {
    await row(/hands\[1\]\.name/).click();
    await page.locator(".editor-instance .squiggly-error").first().waitFor({ timeout: 30_000 });
    await page
      .getByRole("tab", { name: /settings\.json/ })
      .first()
      .waitFor();
    await runCommand(page, "Problems: Focus on Problems View");
    const problem = page
      .locator(".markers-panel")
      .getByText(/A hand needs a name of 1 to 32 letters/)
      .first();
    await problem.waitFor();
    await page
      .locator(".markers-panel")
      .getByText(/Ln 15, Col 15/)
      .first()
      .waitFor();
    await screenshot(page, "hands-problem");
    await page.keyboard.press("Control+J");
  });

  it("tests the connection of a hand", async () => {
    await row(/^box, command/).click({ button: "right" });
    await chooseInMenu(/Test Hand's Connection/);
    await notification(/The hand “box” answers in [\d.]+ ms \(provisioned in/).waitFor({ timeout: 30_000 });
    await row(/^box, command · answers · [\d.]+ ms/).waitFor();
    await screenshot(page, "hands-test");
    await runCommand(page, "Notifications: Clear All Notifications");
  });

  it("opens a file of a hand in an editor, and saves what is changed there", async () => {
    await row(/^box, command/).hover();
    await row(/^box, command/)
      .getByRole("button", { name: /Browse Files of Hand/ })
      .click();
    await option(/README\.md/).waitFor({ timeout: 30_000 });
    await screenshot(page, "hands-browse");
    await option(/README\.md/).click();
    await page
      .getByRole("tab", { name: /README\.md/ })
      .first()
      .waitFor({ timeout: 30_000 });
    const editor = page.locator(".editor-instance .monaco-editor").first();
    await editor.getByText("This file is at the far end.").waitFor();
    await page.keyboard.press("Control+End");
    await page.keyboard.type("Changed from here.\n");
    await page.keyboard.press("Control+S");
    await page.locator(".tab.active:not(.dirty)").first().waitFor();
    await fileShows(farFile, /at the far end\.\nChanged from here\.\n/);
    await screenshot(page, "hands-file");
  });

  it("compares a hand's file with that of the workspace", async () => {
    await runCommand(page, "Many Hands: Compare with the Workspace's File");
    await page.locator(".monaco-diff-editor").waitFor({ timeout: 30_000 });
    await page
      .getByRole("tab", { name: /workspace ↔ box/ })
      .first()
      .waitFor();
    await page.waitForTimeout(1_000);
    await screenshot(page, "hands-compare");
  });

  it("opens the file again after a reload", async () => {
    await reloadWorkbench(page);
    await page
      .getByRole("tab", { name: /^README\.md/ })
      .first()
      .click();
    const editor = page.locator(".editor-instance .monaco-editor").first();
    await editor.getByText("Changed from here.").waitFor({ timeout: 60_000 });
  });

  it("says when a hand has no terminal for people", async () => {
    await row(/^box, command/).click();
    const said = notification(/no terminal for people/);
    // The focus is known to keybindings a moment after the click.
    while (!(await said.isVisible())) {
      await page.keyboard.press("Control+Enter");
      await said.waitFor({ timeout: 3_000 }).catch(() => {});
    }
    await runCommand(page, "Notifications: Clear All Notifications");
  });

  it("adds a hand that is typed, with the hosts of the ssh configuration to pick from", async () => {
    await runCommand(page, "Many Hands: Add Hand…");
    await option(/bastion/).waitFor({ timeout: 30_000 });
    await option(/lab\.example\.org/).waitFor();
    assert.equal(await option(/internal/).count(), 0);
    await screenshot(page, "hands-add");
    await option(/A program that gives a shell/).click();
    await page
      .getByText(/The program and its arguments/)
      .first()
      .waitFor();
    const input = page.locator(".quick-input-widget input").first();
    await input.fill("sh | cat");
    await page
      .getByText(/means something to a shell only/)
      .first()
      .waitFor();
    await input.fill(`env "TERM=dumb" sh`);
    await input.press("Enter");
    await page.getByText("How you and the model call it.").first().waitFor();
    await input.fill("box");
    await page
      .getByText(/a hand named “box” already/)
      .first()
      .waitFor();
    await screenshot(page, "hands-add-name");
    await input.fill("other");
    await input.press("Enter");
    await row(/^other, command/).waitFor({ timeout: 30_000 });
    await fileShows(settingsFile, /"name": "other"[^]*"TERM=dumb"/);
    await notification(/The hand “other” is in the settings/).waitFor();
    await page.getByRole("button", { name: "Test Connection" }).first().click();
    await notification(/The hand “other” answers/).waitFor({ timeout: 30_000 });
    await screenshot(page, "hands-added");
    await runCommand(page, "Notifications: Clear All Notifications");
  });

  it("shows the sessions that use a hand", async () => {
    await newSession(page);
    await row(/^box, command.*1 session/).waitFor({ timeout: 30_000 });
    await row(/^box, command/).click();
    await page.keyboard.press("ArrowRight");
    await row(/^New session, not provisioned yet/).waitFor();
    await screenshot(page, "hands-used");
  });

  it("removes a hand from the settings, and asks before", async () => {
    await row(/^other, command/).click();
    await page.keyboard.press("Delete");
    await page
      .getByRole("dialog")
      .getByText(/Remove the hand “other” from the settings/)
      .waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
    await fileShows(settingsFile, /^(?![^]*"other")/);
    assert.match(readFileSync(settingsFile, "utf8"), /two words/, "what is wrong is the person's to mend");
  });
});

async function fileShows(file: string, expected: RegExp): Promise<void> {
  for (const deadline = Date.now() + 20_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const text = readFileSync(file, "utf8");
    if (expected.test(text)) return;
    if (Date.now() > deadline) throw new Error(`${file} never showed ${String(expected)}; it holds\n${text}`);
  }
}
