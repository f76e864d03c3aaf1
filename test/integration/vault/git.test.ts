/** Git through the credential proxy, with the real client and a real server: what is granted works, and nothing else. */
import { strict as assert } from "node:assert";
import { readFile, writeFile } from "node:fs/promises";
import { flushPacket, packet } from "../../../src/vault/proxy/git/pktLine.ts";
import { hasGitServer, noGitServer } from "../../fixtures/git/gitServer.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { formsOf, GitKit } from "./gitKit.ts";

describe("git through the credential proxy", function () {
  this.timeout(120_000);
  let kit: GitKit;

  before(function () {
    skipUnless(this, hasGitServer(), noGitServer);
  });

  beforeEach(async () => {
    kit = await GitKit.start();
    await kit.server.create("team/app", { files: { "README.md": "# app\n", "docs/a.md": "a\n" } });
    kit.grant(["team/app"], ["refs/heads/agent/*"]);
  });

  afterEach(() => kit.close());

  const refsAt = (): string => kit.server.git("team/app", "for-each-ref", "--format=%(refname)");

  it("clones a private repository by its usual addresses, which stay as they are", async () => {
    await kit.clone("team/app", "a");
    assert.equal(await readFile(kit.at("a/README.md"), "utf8"), "# app\n");
    assert.match(await readFile(kit.at("a/.git/config"), "utf8"), new RegExp(`url = ${kit.address("team/app")}\n`));
    // A form that would need a key; where it leads to is shown, and by which token it does is not.
    await kit.ok(".", "clone", "git@localhost:team/app.git", "ssh");
    const remotes = await kit.ok("ssh", "remote", "-v");
    assert.match(remotes, new RegExp(`${kit.url}/git/${kit.server.host}/team/app.git`));
    assert.ok(!remotes.includes(kit.entranceToken));
    const sent = kit.server.seen.filter(({ url }) => url.includes("git-upload-pack"));
    assert.ok(
      sent.some(({ headers }) => headers["git-protocol"] === "version=2"),
      "the protocol's second version passes",
    );
    assert.ok(sent.every(({ headers }) => headers["x-many-hands"] === undefined));
    assert.ok(sent.every(({ headers }) => headers.authorization === `Basic ${btoa(`git:${kit.token}`)}`));
  });

  it("clones with a depth, and in parts", async () => {
    const server = kit.server.git("team/app", "rev-parse", "main");
    await kit.clone("team/app", "shallow", "--depth=1");
    assert.equal((await kit.ok("shallow", "rev-parse", "HEAD")).trim(), server);
    await kit.ok("shallow", "fetch", "--depth=1000");
    await kit.clone("team/app", "partial", "--filter=blob:none", "--no-checkout");
    assert.match(await kit.ok("partial", "rev-list", "--objects", "--missing=print", "HEAD"), /^\?/m);
    // What is missing is fetched when it is needed.
    await kit.ok("partial", "checkout", "--quiet", "main");
    assert.equal(await readFile(kit.at("partial/docs/a.md"), "utf8"), "a\n");
  });

  it("pushes to a branch that is granted, also by force and with a pack that is sent in chunks", async () => {
    await kit.clone("team/app", "a");
    await kit.ok("a", "switch", "--quiet", "--create", "agent/one");
    await kit.commit("a", "b.txt", "b");
    await kit.ok("a", "push", "--set-upstream", "origin", "agent/one");
    const first = kit.server.git("team/app", "rev-parse", "agent/one");
    await kit.ok("a", "commit", "--quiet", "--amend", "--message", "other");
    assert.notEqual((await kit.git("a", ["push"])).code, 0);
    await kit.ok("a", "push", "--force-with-lease");
    assert.notEqual(kit.server.git("team/app", "rev-parse", "agent/one"), first);
    await kit.commit("a", "large.bin", Array.from({ length: 400_000 }, () => Math.random().toString(36)).join(""));
    await kit.ok("a", "push");
    assert.ok(kit.server.seen.some(({ headers }) => headers["transfer-encoding"] === "chunked"));
    await kit.ok("a", "push", "origin", "--delete", "agent/one");
    assert.equal(refsAt(), "refs/heads/main");
  });

  it("refuses a push to main in git's own words, and not a byte of it reaches the server", async () => {
    await kit.clone("team/app", "a");
    await kit.commit("a", "b.txt", "b");
    const { code, output } = await kit.git("a", ["push", "origin", "main"]);
    assert.equal(code, 1);
    assert.match(
      output,
      /! \[remote rejected\] main -> main \(Many Hands: Pushing to refs\/heads\/main of team\/app at \S+ is not granted\.\)/,
    );
    assert.match(
      output,
      /^remote: Many Hands: Pushing to refs\/heads\/main .* A person can grant it in the Vault view\./m,
    );
    assert.ok(!kit.server.seen.some(({ method, url }) => method === "POST" && url.includes("receive-pack")));
  });

  it("refuses a push also to a client that reads nothing before it has sent all, or sends nothing before it is told to", async () => {
    const head = Buffer.concat([
      packet(`${"0".repeat(40)} ${"1".repeat(40)} refs/heads/main\0 report-status`),
      flushPacket,
    ]);
    const path = `/git/${kit.server.host}/team/app.git/git-receive-pack`;
    const first = (length: number, more = ""): string =>
      `POST ${path} HTTP/1.1\r\nHost: x\r\nX-Many-Hands: ${kit.entranceToken}\r\nContent-Length: ${length}\r\n${more}\r\n`;
    const pack = Buffer.alloc(32 * 1024 * 1024);
    const late = await kit.exchange([first(head.length + pack.length), head, pack]);
    assert.match(late, /ng refs\/heads\/main Many Hands: /);
    const held = await kit.exchange([first(head.length, "Expect: 100-continue\r\n")], [/^HTTP\/1.1 100 /, head]);
    assert.match(held, /ng refs\/heads\/main Many Hands: /);
    assert.ok(!kit.server.seen.some(({ url }) => url.includes("receive-pack")));
  });

  it("refuses a large push to main as well, after its probe", async () => {
    await kit.clone("team/app", "a");
    await kit.commit("a", "large.bin", Array.from({ length: 400_000 }, () => Math.random().toString(36)).join(""));
    const { output } = await kit.git("a", ["push", "origin", "main"]);
    assert.match(output, /! \[remote rejected\] main -> main \(Many Hands: /);
    assert.equal(kit.server.git("team/app", "rev-list", "--count", "main"), "1");
  });

  it("pushes nothing where one of several refs is refused: tags, deletions, forced ones", async () => {
    await kit.clone("team/app", "a");
    await kit.commit("a", "b.txt", "b");
    await kit.ok("a", "tag", "v1");
    const both = await kit.git("a", ["push", "origin", "HEAD:refs/heads/agent/x", "v1"]);
    assert.match(both.output, /! \[remote rejected\] HEAD -> agent\/x/);
    assert.match(both.output, /! \[remote rejected\] v1 -> v1/);
    for (const args of [
      ["--delete", "main"],
      ["--force", "origin", "HEAD:main"],
      ["--mirror"],
      ["--tags"],
      ["--atomic", "origin", "HEAD:agent/x", "HEAD:main"],
    ]) {
      const words = args[0] === "--delete" ? ["origin", ...args] : args.includes("origin") ? args : ["origin", ...args];
      const { code, output } = await kit.git("a", ["push", ...words]);
      assert.notEqual(code, 0, output);
      assert.match(output, /remote rejected.*Many Hands/, output);
    }
    assert.equal(refsAt(), "refs/heads/main");
    assert.equal(kit.server.git("team/app", "rev-list", "--count", "main"), "1");
  });

  it("refuses signed pushes and push options in words", async () => {
    await kit.clone("team/app", "a");
    await kit.commit("a", "b.txt", "b");
    const option = await kit.git("a", [
      "push",
      "-o",
      "merge_request.merge_when_pipeline_succeeds",
      "origin",
      "HEAD:agent/x",
    ]);
    assert.match(option.output, /push option "merge_request.merge_when_pipeline_succeeds" is not passed on/);
    await kit.ok("a", "push", "-o", "ci.skip", "origin", "HEAD:agent/x");
    const signer = kit.at("signer");
    await writeFile(
      signer,
      '#!/bin/sh\ncat >/dev/null\nprintf "\\n[GNUPG:] SIG_CREATED \\n" >&2\necho "-----BEGIN PGP SIGNATURE-----"\n',
      { mode: 0o700 },
    );
    const signed = await kit.git("a", [
      "-c",
      `gpg.program=${signer}`,
      "-c",
      "user.signingKey=x",
      "push",
      "--signed=true",
      "origin",
      "HEAD:agent/y",
    ]);
    assert.match(signed.output, /--no-signed/);
    assert.equal(refsAt(), "refs/heads/agent/x\nrefs/heads/main");
  });

  it("refuses another repository, another host and the old protocol in words that git prints", async () => {
    await kit.server.create("team/secret");
    await kit.server.create("team/open", { isPublic: true });
    const other = await kit.git(".", ["clone", kit.address("team/secret"), "x"]);
    assert.match(
      other.output,
      /remote: Many Hands: Fetching of team\/secret at \S+ is not granted\. A person can grant it/,
    );
    // Nothing is granted by default, public or not.
    assert.match(
      (await kit.git(".", ["clone", kit.address("team/open"), "x"])).output,
      /remote: Many Hands: .*not granted/,
    );
    const host = await kit.git(".", ["clone", "https://other.example/team/app.git", "x"]);
    assert.match(host.output, /remote: Many Hands: There is no git credential for other\.example\./);
    const dumb = await kit.git(".", ["clone", kit.address("team/app"), "x"], { GIT_SMART_HTTP: "0" });
    assert.match(dumb.output, /remote: Many Hands: Only git's smart protocol/);
    assert.ok(!kit.server.seen.some(({ url }) => !url.startsWith("/team/app.git/")));
  });

  it("says that a token is wrong, and nobody is asked for another", async () => {
    kit.authority.tokens.set(kit.server.host, "ghp_wrong0wrong0wrong0");
    const { code, output } = await kit.git(".", ["clone", kit.address("team/app"), "x"]);
    assert.notEqual(code, 0);
    assert.match(
      output,
      /remote: Many Hands: https:\/\/localhost:\d+ does not accept the credential that is stored for it/,
    );
    assert.ok(!/terminal prompts|Username/.test(output), output);
  });

  it("follows a repository that moved within its server as a new use, and to no other server", async () => {
    kit.server.redirect("/old/app.git", "/team/app.git");
    kit.server.redirect("/away/app.git", "https://elsewhere.example/team/app.git");
    kit.grant(["old/app", "away/app"]);
    await kit.clone("old/app", "a");
    assert.ok(kit.authority.asked.some(({ git }) => git?.repository === "team/app"));
    const away = await kit.git(".", ["clone", kit.address("away/app"), "x"]);
    assert.match(away.output, /remote: Many Hands: \S+ sends this repository on to https:\/\/elsewhere\.example/);
    kit.server.redirect("/sly/app.git", "/team/secret.git");
    kit.grant(["sly/app"]);
    assert.match((await kit.git(".", ["clone", kit.address("sly/app"), "x"])).output, /Fetching of team\/secret/);
  });

  it("works in submodules", async () => {
    await kit.server.create("team/part");
    kit.grant(["team/part"]);
    await kit.clone("team/app", "a");
    await kit.ok("a", "submodule", "--quiet", "add", kit.address("team/part"), "part");
    await kit.ok("a", "commit", "--quiet", "--message", "part");
    await kit.ok("a", "push", "origin", "HEAD:agent/sub");
    await kit.ok(".", "clone", "--branch=agent/sub", "--recurse-submodules", kit.address("team/app"), "b");
    assert.equal(await readFile(kit.at("b/part/README.md"), "utf8"), "# team/part\n");
    await kit.ok("b", "submodule", "update", "--remote");
    await kit.ok("b", "fetch", "--recurse-submodules");
  });

  it("says in the middle of a fetch that the grant is gone", async () => {
    await kit.clone("team/app", "a");
    const decide = kit.authority.decide.bind(kit.authority);
    kit.authority.decide = (use) => {
      if (use.path.endsWith("/git-upload-pack")) kit.authority.revoked.abort();
      return decide(use);
    };
    const { code, output } = await kit.git(".", ["clone", kit.address("team/app"), "b"]);
    assert.notEqual(code, 0);
    assert.match(output, /fatal: remote error: Many Hands: Fetching of team\/app at \S+ is not granted/);
  });

  it("is the same where the token is in the path", async () => {
    const address = `${kit.url}/${kit.entranceToken}/git/${kit.server.host}/team/app.git`;
    const { code, output } = await kit.git(".", ["clone", address, "a"], { GIT_CONFIG_COUNT: "0" });
    assert.equal(code, 0, output);
    const wrong = await kit.git(".", ["clone", address.replace(kit.entranceToken, "x".repeat(43)), "b"], {
      GIT_CONFIG_COUNT: "0",
    });
    assert.notEqual(wrong.code, 0);
  });

  it("leaves no form of the credential in the hand's files", async () => {
    await kit.clone("team/app", "a");
    await kit.commit("a", "b.txt", "b");
    await kit.ok("a", "push", "origin", "HEAD:agent/x");
    await kit.git("a", ["push", "origin", "main"]);
    assert.deepEqual(await kit.filesWith(...formsOf(kit.token), kit.entranceToken), []);
    // The search finds what is there.
    await kit.commit("a", "planted.txt", kit.token);
    assert.notDeepEqual(await kit.filesWith(...formsOf(kit.token)), []);
    assert.deepEqual(kit.reports, []);
  });
});
