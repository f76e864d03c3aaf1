/** Requests for a grant on the page: answered by the keyboard, narrowed before, and asked about twice where a slip would hurt. */
import assert from "node:assert/strict";
import type { Browser, Locator, Page } from "playwright-core";
import type { FromPage } from "../../src/core/pageProtocol.ts";
import { findChromium } from "../../scripts/chromium.mjs";
import { openBrowser } from "../vscode/host/browser.ts";
import { skipUnless } from "../vscode/host/skip.ts";
import { asksForApi, asksForPush } from "./grantScenes.ts";
import { openPage } from "./pageHost.ts";
import type { PageHost } from "./pageHost.ts";
import type { NewEvent } from "../../src/core/events.ts";
import { call, answer, created, numbering, person, started, working } from "./samples.ts";

type Decision = Extract<Extract<FromPage, { type: "emit" }>["event"], { type: "user.grant_decision" }>;

describe("a request for a grant on the page", function () {
  this.timeout(60_000);
  let browser: Browser;
  let host: PageHost | null = null;

  before(async function () {
    skipUnless(this, findChromium() !== undefined, "there is no Chromium: apt-get install chromium");
    browser = await openBrowser();
  });
  afterEach(async () => {
    await host?.close();
    host = null;
  });
  after(() => browser?.close());

  async function open(...requests: readonly NewEvent[]): Promise<{ page: Page; next: ReturnType<typeof numbering> }> {
    const runs = call("bash", { command: "./work.sh" });
    const next = numbering();
    const history = next(created, person("Go."), working, ...answer({ calls: [runs] }), started(runs), ...requests);
    host = await openPage(browser, { history });
    return { page: host.page, next };
  }

  async function decisions(count: number): Promise<readonly Decision[]> {
    for (;;) {
      const made = (host?.sent ?? []).flatMap((message) =>
        message.type === "emit" && message.event.type === "user.grant_decision" ? [message.event] : [],
      );
      if (made.length >= count) return made;
      await host?.page.waitForTimeout(20);
    }
  }

  const named = (page: Page, name: string | RegExp): Locator => page.getByRole("button", { name, exact: true });
  const focused = (page: Page): Promise<string> =>
    page.evaluate(() => `${document.activeElement?.tagName}: ${document.activeElement?.textContent}`);

  it("is answered by the keyboard, and the next one is at hand after it", async () => {
    const { page, next } = await open(asksForApi("one"), asksForPush("two", "refs/heads/main"));
    await named(page, "Allow once").first().focus();
    await page.keyboard.press("Tab");
    assert.equal(await focused(page), "BUTTON: Allow for this session");
    await page.keyboard.press("Enter");
    const [decision] = await decisions(1);
    assert.ok(decision?.result === "allow");
    assert.deepEqual([decision.lasts, decision.scope, decision.grant_request_id], ["session", undefined, "sevt_one"]);
    const { type, id, grant_request_id, result, lasts } = decision;
    await host?.append(next({ type, id, grant_request_id, result, lasts } as NewEvent));
    await page.getByText("granted for this session").waitFor();
    // A push to main: the answer that is at hand is the one that changes nothing.
    assert.equal(await focused(page), "BUTTON: Deny");
  });

  it("sends the refs that the person has made of those that were asked for", async () => {
    const { page } = await open(asksForPush("push", "refs/heads/agent/a"));
    const refs = page.getByLabel("Branches or refs that may be pushed");
    assert.equal(await refs.inputValue(), "agent/a");
    await refs.fill("fix");
    await page.getByText("The push that waits goes on waiting: agent/a is not in it.").waitFor();
    await refs.fill("");
    await page.getByText("Name what may be pushed, or deny.").waitFor();
    assert.equal(await named(page, "Allow once").isDisabled(), true);
    assert.equal(await named(page, "Deny").isDisabled(), false);
    await refs.fill("agent/* refs/notes/agent");
    await named(page, "Allow for this session").click();
    const [decision] = await decisions(1);
    assert.ok(decision?.result === "allow");
    assert.deepEqual(decision.scope?.git, {
      repositories: ["acme/orchard"],
      push_refs: ["refs/heads/agent/*", "refs/notes/agent"],
    });
  });

  it("asks twice before a push to a branch that others build on is allowed for longer than once", async () => {
    const { page } = await open(asksForPush("push", "refs/heads/main"));
    await page.getByText("Others build on main. Is it meant?").waitFor();
    await named(page, "Always allow").click();
    const again = named(page, "Really every push to main, always?");
    await again.waitFor();
    // Whoever turns away is asked anew.
    await page.getByLabel("Branches or refs that may be pushed").focus();
    await named(page, "Always allow").click();
    assert.equal((await decisions(0)).length, 0);
    await again.click();
    const [decision] = await decisions(1);
    assert.ok(decision?.result === "allow");
    assert.equal(decision.lasts, "always");
  });

  it("takes the care as soon as a pattern reaches such a branch", async () => {
    const { page } = await open(asksForPush("push", "refs/heads/agent/a"));
    await named(page, "Allow once").waitFor();
    await page.getByLabel("Branches or refs that may be pushed").fill("*");
    await named(page, "Push to * once").waitFor();
    assert.equal(await named(page, "Allow once").count(), 0);
  });

  it("shows what is hidden in a name", async () => {
    const { page } = await open(asksForPush("push", "refs/heads/agent/\u202Eniam"));
    await page.getByText("push agent/⟨U+202E⟩niam to").waitFor();
  });
});
