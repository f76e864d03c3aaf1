/** The vault as a person meets it in VS Code: a credential is added, tested, granted, asked for, revoked and removed, by clicks. */
import { strict as assert } from "node:assert";
import { globSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import type { Browser, Frame, Locator, Page } from "playwright-core";
import type { NewEvent } from "../../../src/core/events.ts";
import type { SessionId } from "../../../src/core/ids.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { createFileStore } from "../../../src/session/fileStore.ts";
import { createIds } from "../../../src/session/ids.ts";
import { openBrowser, openWorkbench, runCommand, screenshot } from "../host/browser.ts";
import { startCodeServer } from "../host/codeServer.ts";
import type { TestServer } from "../host/codeServer.ts";
import { logShows, newSession, sampleCopy } from "./many.ts";
import type { Line } from "./many.ts";

const VALUE = "canary-5d1f7c0b9e3a4486";

describe("the vault in VS Code", function () {
  this.timeout(240_000);
  this.bail(true);
  const sample = sampleCopy();
  const sent: (string | undefined)[] = [];
  let api: Server;
  let origin: string;
  let server: TestServer;
  let browser: Browser;
  let page: Page;
  let frame: Frame;

  before(async () => {
    api = createServer(({ headers }, response) => {
      sent.push(headers.authorization);
      response.writeHead(headers.authorization === `Bearer ${VALUE}` ? 200 : 401).end();
    });
    await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
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
    api?.close();
    sample.remove();
  });
  afterEach(async function () {
    if (this.currentTest?.state === "failed") await screenshot(page, "vault-failed");
  });

  const row = (name: RegExp): Locator => page.getByRole("treeitem", { name }).first();
  const option = (name: RegExp): Locator => page.locator(".quick-input-list").getByRole("option", { name }).first();
  const notification = (text: RegExp): Locator => page.locator(".notifications-toasts").getByText(text).first();
  const said = (text: RegExp | string): Locator => page.locator(".quick-input-widget").getByText(text).first();
  const input = (): Locator => page.locator(".quick-input-widget input:visible").first();
  const inDialog = (name: string): Locator => page.getByRole("dialog").getByRole("button", { name, exact: true });

  /** A button in a row is there while the pointer is on the row. */
  async function clickInRow(name: RegExp, title: RegExp): Promise<void> {
    await row(name).hover();
    await row(name).getByRole("button", { name: title }).click();
  }

  /** Types an answer to the question that is being asked, and goes on. */
  async function answer(question: RegExp, text: string): Promise<void> {
    await said(question).waitFor();
    await input().fill(text);
    await input().press("Enter");
  }

  async function clearNotifications(): Promise<void> {
    await runCommand(page, "Notifications: Clear All Notifications");
  }

  it("says what it is for as long as it is empty", async () => {
    await page.locator('.activitybar [aria-label^="Many Hands"]').first().click();
    await page
      .getByText(/Nothing is granted by default/)
      .first()
      .waitFor({ timeout: 60_000 });
    await screenshot(page, "vault-welcome");
  });

  it("takes a credential by the guided pick, with words at the place of what is wrong", async () => {
    await page.getByRole("button", { name: "Add Credential", exact: true }).first().click();
    await option(/GitHub, a token for github\.com/).waitFor({ timeout: 30_000 });
    await screenshot(page, "vault-add");
    await option(/Bearer token/).click();
    await said(/The address: the credential is sent there/).waitFor();
    await input().fill("http://api.example.com");
    await said(/no address that a credential may go to/).waitFor();
    await screenshot(page, "vault-add-wrong");
    await input().fill(`${origin}/v1`);
    await input().press("Enter");
    await said(/How you, the agent and its code call it/).waitFor();
    assert.equal(await input().inputValue(), "127.0.0.1");
    // Back and forth again: what was asked is asked anew.
    await page.locator(".quick-input-widget").getByRole("button", { name: "Back" }).click();
    await answer(/The address: the credential is sent there/, `${origin}/v1`);
    await said(/How you, the agent and its code call it/).waitFor();
    await input().fill("My Items");
    await said(/small letters, digits/).waitFor();
    await input().fill("items");
    await input().press("Enter");
    await said(/never shown again/).waitFor();
    assert.equal(await input().getAttribute("type"), "password");
    await input().fill(`  "${VALUE}" `);
    await screenshot(page, "vault-add-value");
    await input().press("Enter");
    await notification(/“items” is stored for http:\/\/127\.0\.0\.1:\d+\/v1\. Nothing is granted yet/).waitFor();
    await row(/^items, token · http:\/\/127\.0\.0\.1:\d+\/v1/).waitFor();
  });

  it("tests it: what the server answers with it and without it, in words", async () => {
    await page.locator(".notifications-toasts").getByRole("button", { name: "Test", exact: true }).click();
    await notification(/The credential “items”: /).waitFor({ timeout: 30_000 });
    assert.ok(sent.includes(`Bearer ${VALUE}`), "quotes and spaces around what was pasted are not part of it");
    assert.ok(sent.includes(undefined));
    await screenshot(page, "vault-tested");
    await clearNotifications();
  });

  it("grants it in advance to one session, and revokes that by a click", async () => {
    frame = await newSession(page);
    await clickInRow(/^items, token/, /Grant Use of Credential in Advance/);
    await option(/New session/).click();
    await option(/Its HTTP API/).click();
    await answer(/The path below http/, "items");
    await option(/Reading, GET/).click();
    await notification(/Granted: “New session” may use “items” to GET, HEAD, OPTIONS/).waitFor();
    await row(/^read \/v1\/items, New session · until it ends/).waitFor();
    await row(/^items, token .* 1 grant/).waitFor();
    await logShows(server.userDataDir, (lines) => lines.some(({ type }) => type === "vault.grant_given"));
    await screenshot(page, "vault-granted");
    await clearNotifications();
    await clickInRow(/^read \/v1\/items/, /Revoke Grant/);
    await logShows(server.userDataDir, (lines) => lines.some(({ type }) => type === "vault.grant_revoked"));
    await row(/^read \/v1\/items/).waitFor({ state: "detached" });
  });

  it("shows a request for it on the session's page, and what a click there grants", async () => {
    const lines = await logShows(server.userDataDir, () => true);
    const given = lines.find(({ type }) => type === "vault.grant_given") as Line;
    await record({
      type: "vault.grant_requested",
      credential_id: String(given["credential_id"]),
      credential_name: "items",
      hand: "local",
      scope: { kind: "http", origin, path_prefix: "/v1/items/31", methods: ["POST"] },
      method: "POST",
      path: "/v1/items/31",
    });
    await frame.getByText(/^Let local send POST to/).waitFor({ timeout: 30_000 });
    await page.waitForTimeout(500);
    await screenshot(page, "vault-asked");
    await frame.getByRole("button", { name: "Allow for this session" }).click();
    await frame.getByText("granted for this session", { exact: true }).waitFor();
    await row(/^POST \/v1\/items\/31, New session · until it ends/).waitFor();
    await screenshot(page, "vault-answered");
    await clickInRow(/^POST \/v1/, /Revoke Grant/);
    await frame.getByText("granted for this session, then revoked").waitFor();
  });

  it("replaces its value, and removes it with its grants, after a question that names them", async () => {
    await runCommand(page, "Many Hands: Replace Value of Credential…");
    await answer(/The new value of “items”/, `${VALUE}-2`);
    await notification(/“items” has its new value/).waitFor();
    await clearNotifications();
    await clickInRow(/^items, token/, /Grant Use of Credential in Advance/);
    await option(/Every session of this workspace/).click();
    await option(/Its MCP server/).click();
    await row(/^all MCP tools, every session · always/).waitFor();
    await clearNotifications();
    await row(/^items, token/).click();
    await page.keyboard.press("Delete");
    const dialog = page.getByRole("dialog");
    await dialog.getByText(/Remove the credential “items”/).waitFor();
    await dialog.getByText(/This grant goes with it:\s*• use the MCP server/).waitFor();
    await screenshot(page, "vault-remove");
    await inDialog("Remove").click();
    await row(/^items, token/).waitFor({ state: "detached" });
  });

  it("has shown the value nowhere, and put it into no file", async () => {
    assert.ok(!(await page.content()).includes(VALUE));
    for (const file of globSync(join(server.userDataDir, "**/*"), { withFileTypes: true })) {
      if (!file.isFile()) continue;
      const path = join(file.parentPath, file.name);
      assert.ok(!readFileSync(path).includes(VALUE), path);
    }
  });

  /** As the vault does where a hand asks: here another process of the same log. */
  async function record(event: NewEvent): Promise<void> {
    const [file] = globSync(
      join(server.userDataDir, "User/workspaceStorage/*/many-hands.many-hands/sessions/sesn_*/events.jsonl"),
    );
    assert.ok(file !== undefined);
    const folder = dirname(file);
    const onError = (what: string): void => assert.fail(what);
    const [root, clock, owner] = [dirname(folder), systemClock, "the test"];
    const store = createFileStore({ root, clock, ids: createIds(clock), owner, onError });
    const log = await store.open(folder.split("/").at(-1) as SessionId);
    try {
      while ((await log.acquire()).kind === "busy") await page.waitForTimeout(100);
      await log.append([event]);
      await log.release();
    } finally {
      await log.close();
    }
  }
});
