/** What a session survives in the real VS Code: a reload, a killed extension host, a second window. */
import { strict as assert } from "node:assert";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import type { Scenario } from "../../fixtures/messages/scenario.ts";
import { startMessagesServer } from "../../fixtures/messages/strictServer.ts";
import type { MessagesServer } from "../../fixtures/messages/strictServer.ts";
import { openBrowser, openWorkbench, reloadWorkbench, runCommand, screenshot } from "../host/browser.ts";
import { startCodeServer } from "../host/codeServer.ts";
import type { TestServer } from "../host/codeServer.ts";
import { isIdle, logShows, newSession, results, sampleCopy, say, sessionPage, textOf } from "./many.ts";

const LINES = 20;
const command = `echo run >> runs.txt; i=1; while [ $i -le ${LINES} ]; do echo "line $i"; i=$((i+1)); sleep 1; done; exit 7`;
const bash = (input: string) => ({ type: "tool_use", name: "bash", input: { command: input } });
const call = bash(command);
/** The second window may be slow to come: the command waits for it. */
const patient = bash(command.replace(/; exit 7$/, "; while [ ! -e go.txt ]; do sleep 0.1; done; exit 7"));

const scenario: Scenario = {
  by: "transcript",
  turns: [
    { blocks: ["First.", call] },
    { blocks: ["The first is over."] },
    { blocks: ["Second.", call] },
    { blocks: ["The second is over."] },
    { blocks: ["Third.", patient] },
    { blocks: ["The third is over."] },
  ],
};

const expected = `${Array.from({ length: LINES }, (_, at) => `line ${at + 1}`).join("\n")}\n[exit status: 7]`;

describe("a session in the real VS Code", function () {
  this.timeout(240_000);
  const sample = sampleCopy();
  let model: MessagesServer;
  let server: TestServer;
  let browser: Browser;
  let page: Page;

  before(async () => {
    model = await startMessagesServer({ scenario, keys: [] });
    server = await startCodeServer({
      workspace: sample.folder,
      settings: { "manyHands.model.baseUrl": model.url, "manyHands.permissions": { bash: "always_allow" } },
    });
    browser = await openBrowser();
    page = await browser.newPage({ viewport: { width: 1300, height: 900 } });
    await openWorkbench(page, server.url);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    await model?.close();
    sample.remove();
  });

  const runs = (): string => readFileSync(join(sample.folder, "runs.txt"), "utf8");

  it("keeps a command running through a reload of the page, with its whole output once and its real status", async () => {
    const frame = await newSession(page);
    await say(frame, "Run the first one.");
    await frame.getByText("line 5").first().waitFor({ timeout: 60_000 });
    await screenshot(page, "running");
    await reloadWorkbench(page);
    const revived = await sessionPage(page);
    await revived.getByText("line 12").first().waitFor({ timeout: 60_000 });
    await screenshot(page, "running-after-reload");
    const lines = await logShows(server.userDataDir, (log) => results(log).length === 1 && isIdle(log));
    assert.equal(textOf(results(lines)[0]!), expected);
    assert.equal(runs(), "run\n");
    assert.deepEqual(model.problems, []);
  });

  it("goes on after kill -9 of the extension host, and the command ran once", async () => {
    const frame = await sessionPage(page);
    await say(frame, "Run the second one.");
    await frame.getByText("Second.").first().waitFor({ timeout: 60_000 });
    await logShows(server.userDataDir, (log) => log.filter(({ type }) => type === "hand.call_started").length === 2);
    await page.waitForTimeout(4_000);
    const pids = server.extensionHostPids();
    assert.ok(pids.length > 0, "there is an extension host");
    for (const pid of pids) process.kill(pid, "SIGKILL");
    const lines = await logShows(server.userDataDir, (log) => results(log).length === 2 && isIdle(log), 120_000);
    assert.equal(textOf(results(lines)[1]!), expected);
    assert.equal(runs(), "run\nrun\n");
    assert.deepEqual(model.problems, []);
    // The page of the host that died is replaced by a living one.
    const living = await sessionPage(page);
    await living.getByText("The second is over.").first().waitFor({ timeout: 30_000 });
    await screenshot(page, "after-kill");
  });

  it("shows the session live in a second window, which takes it over while its command runs", async () => {
    const frame = await sessionPage(page);
    await say(frame, "Run the third one.");
    await frame.getByText("Third.").first().waitFor({ timeout: 60_000 });
    await logShows(server.userDataDir, (log) => log.filter(({ type }) => type === "hand.call_started").length === 3);
    const second = await browser.newPage({ viewport: { width: 1300, height: 900 } });
    await openWorkbench(second, server.url);
    await runCommand(second, "Many Hands: Show Sessions");
    const row = second.getByRole("treeitem", { name: /Run the first one/ }).first();
    try {
      await row.waitFor({ timeout: 60_000 });
    } finally {
      await screenshot(second, "second-window-list");
    }
    await row.click();
    const viewer = await sessionPage(second);
    await viewer.getByText(/Another window runs this session/).waitFor({ timeout: 60_000 });
    await viewer.getByText("line 3").last().waitFor({ timeout: 60_000 });
    await screenshot(second, "second-window-reads");
    await viewer.getByRole("button", { name: "Take over" }).click();
    await frame.getByText(/Another window runs this session/).waitFor({ timeout: 60_000 });
    await screenshot(page, "first-window-after-takeover");
    writeFileSync(join(sample.folder, "go.txt"), "");
    const lines = await logShows(server.userDataDir, (log) => results(log).length === 3 && isIdle(log), 120_000);
    assert.equal(textOf(results(lines)[2]!), expected);
    assert.equal(runs(), "run\nrun\nrun\n");
    assert.equal(lines.filter(({ type }) => type === "session.lease_taken").length, 1);
    await viewer.getByText("The third is over.").first().waitFor({ timeout: 60_000 });
    await screenshot(second, "second-window-goes-on");
    assert.deepEqual(model.problems, []);
    await second.close();
  });
});
