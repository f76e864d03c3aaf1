/** The vault at work in VS Code: an API that the agent's command may use but whose token it never has, an MCP tool that is asked for, a confined hand. */
import { strict as assert } from "node:assert";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Browser, Frame, Locator, Page } from "playwright-core";
import { root } from "../../../scripts/pinnedNode.mjs";
import { startOwnServer } from "../../fixtures/mcp/ownServer.ts";
import type { OwnServer } from "../../fixtures/mcp/ownServer.ts";
import type { Scenario, Turn } from "../../fixtures/messages/scenario.ts";
import { startMessagesServer } from "../../fixtures/messages/strictServer.ts";
import type { MessagesServer } from "../../fixtures/messages/strictServer.ts";
import { findBubblewrap } from "../../../src/hands/local/confinementMissing.ts";
import { openBrowser, openWorkbench, runCommand, screenshot } from "../host/browser.ts";
import { startCodeServer } from "../host/codeServer.ts";
import type { TestServer } from "../host/codeServer.ts";
import { skipUnless } from "../host/skip.ts";
import { isIdle, logShows, newSession, results, say, sessionPage, textOf } from "./many.ts";
import type { Line } from "./many.ts";

const VALUE = "canary-91c0e7d25b8f4a63";
const SECRET = "canary-27ae60f1d4c94b58";
const CALL = 'curl -sS "$MANY_HANDS_PROXY/api/weather/today"';
const READ_SECRETS = 'cat ~/.ssh/id_ed25519; cat ~/.npmrc; echo "written here" >written.txt; cat written.txt';
const AT_THE_SAMPLE = "ls; echo 'from the sample' >from-sample.txt; cat from-sample.txt";

const bash = (command: string) => ({ type: "tool_use", name: "bash", input: { command, hand: "local" } });
const onText = (contains: string, turns: number, ...blocks: NonNullable<Turn["blocks"]>): Turn => ({
  match: { contains, turns },
  blocks,
});

const scenario: Scenario = {
  by: "order",
  turns: [
    onText("today's weather", 0, "I'll ask the weather service.", bash(CALL)),
    onText("today's weather", 1, "Sunny, 21 °C."),
    onText("And again", 2, "Once more.", bash(CALL)),
    onText("And again", 3, "That was not allowed."),
    onText("secrets", 4, "Let me look.", bash(READ_SECRETS)),
    onText("secrets", 5, "They cannot be read."),
    onText("Note it down", 6, "I'll write that down.", {
      type: "tool_use",
      name: "mcp__notes__add_note",
      input: { title: "Weather", text: "Sunny, 21 °C" },
    }),
    onText("Note it down", 7, "It is noted."),
    onText("Write into the sample", 0, "Here.", bash(AT_THE_SAMPLE)),
    onText("Write into the sample", 1, "It can be worked on."),
  ],
};

describe("the vault in use in VS Code", function () {
  this.timeout(240_000);
  this.bail(true);
  const sent: (string | undefined)[] = [];
  let home: string;
  let work: string;
  let api: Server;
  let origin: string;
  let notes: OwnServer;
  let model: MessagesServer;
  let server: TestServer;
  let browser: Browser;
  let page: Page;
  let frame: Frame;

  before(async function () {
    const bubblewrap = process.platform === "linux" ? await findBubblewrap(process.env["PATH"] ?? "") : "Linux only";
    skipUnless(this, typeof bubblewrap !== "string", typeof bubblewrap === "string" ? bubblewrap : "");
    // Not in the temporary folder: a confined hand has one of its own in that place.
    home = realpathSync(mkdtempSync(join(homedir(), ".many-hands-home-")));
    work = join(home, "work");
    cpSync(join(root, "media", "sample-workspace"), work, { recursive: true });
    mkdirSync(join(home, ".ssh"), { mode: 0o700 });
    for (const name of [".ssh/id_ed25519", ".npmrc"]) writeFileSync(join(home, name), `${SECRET}\n`, { mode: 0o600 });
    api = createServer(({ headers, url }, response) => {
      sent.push(headers.authorization);
      const isKnown = headers.authorization === `Bearer ${VALUE}`;
      response.writeHead(isKnown ? 200 : 401, { "content-type": "text/plain" });
      response.end(isKnown ? `${url}: sunny, 21 °C\n` : "Who are you?\n");
    });
    await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
    notes = await startOwnServer({
      tools: [
        {
          name: "add_note",
          description: "Adds a note.",
          inputSchema: {
            type: "object",
            properties: { title: { type: "string" }, text: { type: "string" } },
            required: ["title", "text"],
          },
          run: async ({ title }) => ({ content: [{ type: "text", text: `Noted: ${String(title)}` }] }),
        },
      ],
    });
    model = await startMessagesServer({ scenario, keys: [] });
    server = await startCodeServer({
      workspace: work,
      settings: {
        "manyHands.model.baseUrl": model.url,
        "manyHands.permissions": { bash: "always_allow" },
        "manyHands.mcpServers": { notes: { type: "http", url: notes.url } },
      },
      env: { HOME: home },
    });
    browser = await openBrowser();
    page = await browser.newPage({ viewport: { width: 1300, height: 900 } });
    await openWorkbench(page, server.url);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await Promise.allSettled([model?.close(), notes?.close()]);
    api?.close();
    if (home !== undefined) rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  });
  afterEach(async function () {
    if (this.currentTest?.state === "failed") await screenshot(page, "vault-in-use-failed");
  });

  const row = (name: RegExp): Locator => page.getByRole("treeitem", { name }).first();
  const option = (name: RegExp): Locator => page.locator(".quick-input-list").getByRole("option", { name }).first();

  async function answer(question: RegExp, text: string): Promise<void> {
    await page.locator(".quick-input-widget").getByText(question).first().waitFor();
    const input = page.locator(".quick-input-widget input:visible").first();
    await input.fill(text);
    await input.press("Enter");
  }

  const count = (lines: readonly Line[], type: string): number => lines.filter((line) => line.type === type).length;

  it("waits at a request for a grant, with the credential in the view beside it", async () => {
    await page.locator('.activitybar [aria-label^="Many Hands"]').first().click();
    await page.getByRole("button", { name: "Add Credential", exact: true }).first().click();
    await option(/Bearer token/).click({ timeout: 60_000 });
    await answer(/The address: the credential is sent there/, `${origin}/v1`);
    await answer(/How you, the agent and its code call it/, "weather");
    await answer(/never shown again/, VALUE);
    await row(/^weather, token/).waitFor();
    await runCommand(page, "Notifications: Clear All Notifications");
    frame = await newSession(page);
    await say(frame, "What is today's weather?");
    await frame.getByText(/^Let local read from/).waitFor({ timeout: 90_000 });
    await page.mouse.move(700, 700);
    await page.waitForTimeout(500);
    await screenshot(page, "grant-waiting");
    assert.deepEqual(sent, [], "nothing is sent before the answer");
  });

  it("lets the request through once it is allowed, and the log says so without the value", async () => {
    await frame.getByRole("button", { name: "Allow for this session" }).click();
    const lines = await logShows(server.userDataDir, (log) => results(log).length === 1 && isIdle(log));
    assert.match(textOf(results(lines)[0]!), /\/v1\/today: sunny, 21 °C/);
    assert.deepEqual(sent, [`Bearer ${VALUE}`]);
    for (const type of ["grant_requested", "grant_given", "credential_used"]) {
      assert.equal(count(lines, `vault.${type}`), 1, type);
    }
    assert.equal(count(lines, "user.grant_decision"), 1);
    assert.ok(!JSON.stringify(lines).includes(VALUE));
    await row(/^read \/v1.*until it ends/).waitFor();
    await page.waitForTimeout(500);
    await screenshot(page, "grant-used");
  });

  it("asks again when the grant was revoked in the view, and what is denied reads as such", async () => {
    await row(/^read \/v1/).hover();
    await row(/^read \/v1/)
      .getByRole("button", { name: /Revoke Grant/ })
      .click();
    await logShows(server.userDataDir, (log) => count(log, "vault.grant_revoked") === 1);
    await say(frame, "And again, please.");
    await logShows(server.userDataDir, (log) => count(log, "vault.grant_requested") === 2);
    await frame.getByRole("button", { name: "Deny", exact: true }).click();
    const lines = await logShows(server.userDataDir, (log) => results(log).length === 2 && isIdle(log));
    assert.match(textOf(results(lines)[1]!), /Many Hands: /);
    assert.equal(sent.length, 1);
    await screenshot(page, "grant-denied");
  });

  it("confines the local hand: secrets of the home folder are unreadable, the workspace is writable", async () => {
    await say(frame, "Read my secrets.");
    const lines = await logShows(server.userDataDir, (log) => results(log).length === 3 && isIdle(log));
    const text = textOf(results(lines)[2]!);
    assert.match(text, /id_ed25519: Permission denied[^]*\.npmrc: Permission denied[^]*written here/);
    assert.ok(!text.includes(SECRET));
    assert.equal(readFileSync(join(work, "written.txt"), "utf8"), "written here\n");
    const ready = lines.find(({ type, hand }) => type === "hand.provisioned" && hand === "local");
    assert.match(String(ready?.["description"]), /confined: only the start directory/);
    await screenshot(page, "confined");
  });

  it("asks before a tool of an MCP server is called, by a name that reads well, and shows its answer", async () => {
    await say(frame, "Note it down, please.");
    const card = frame.getByRole("group", { name: "Allow add_note of notes (MCP)?" });
    await card.waitFor({ timeout: 90_000 });
    await page.waitForTimeout(500);
    await screenshot(page, "mcp-waiting");
    assert.deepEqual(notes.calls, []);
    await card.getByRole("button", { name: "Allow", exact: true }).click();
    const lines = await logShows(server.userDataDir, (log) => results(log).length === 4 && isIdle(log));
    assert.match(textOf(results(lines)[3]!), /Noted: Weather/);
    assert.equal(notes.calls.length, 1);
    await screenshot(page, "mcp-called");
    assert.deepEqual(model.problems, []);
  });

  it("works in the sample workspace too, which lies in the extension's own storage", async () => {
    await runCommand(page, "Many Hands: Open Sample Workspace");
    await option(/In this extension's storage/).click();
    await page.waitForURL(/many-hands-sample/, { timeout: 60_000 });
    await page.locator(".monaco-workbench .part.statusbar").waitFor({ timeout: 60_000 });
    const folder = join(server.userDataDir, "User/globalStorage/many-hands.many-hands/many-hands-sample");
    assert.ok(existsSync(folder));
    await runCommand(page, "Many Hands: New Session");
    frame = await sessionPage(page);
    await say(frame, "Write into the sample.");
    await frame.getByText("It can be worked on.").waitFor({ timeout: 90_000 });
    await screenshot(page, "sample-confined");
    assert.equal(readFileSync(join(folder, "from-sample.txt"), "utf8"), "from the sample\n");
  });
});
