/** What a hand finds in its environment for git, and the user name that goes with a token of each server. */
import { strict as assert } from "node:assert";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { gitEnvironment } from "../../../../src/vault/proxy/git/gitEnvironment.ts";
import { gitAuthorization, gitUserName } from "../../../../src/vault/proxy/git/gitHosts.ts";

const url = "http://127.0.0.1:4711";
const token = "t".repeat(43);
const bare = { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1" };

function git(environment: Readonly<Record<string, string>>, ...args: readonly string[]): string {
  return execFileSync("git", args, { cwd: tmpdir(), encoding: "utf8", env: { ...bare, ...environment } }).trim();
}

describe("git's environment in a hand", () => {
  it("leads every usual address of a host to the proxy, and no other host's", () => {
    const environment = gitEnvironment({
      url,
      token,
      hosts: ["github.com", "git.example.com:8443", "org@dev.azure.com"],
    });
    const resolved = (address: string): string => git(environment, "ls-remote", "--get-url", address);
    assert.equal(resolved("https://github.com/o/r.git"), `${url}/git/github.com/o/r.git`);
    assert.equal(resolved("git@github.com:o/r.git"), `${url}/git/github.com/o/r.git`);
    assert.equal(resolved("ssh://git@github.com/o/r.git"), `${url}/git/github.com/o/r.git`);
    assert.equal(resolved("https://git.example.com:8443/o/r"), `${url}/git/git.example.com:8443/o/r`);
    assert.equal(resolved("https://org@dev.azure.com/org/p/_git/r"), `${url}/git/dev.azure.com/org/p/_git/r`);
    assert.equal(resolved("https://github.com.evil.example/o/r"), "https://github.com.evil.example/o/r");
    assert.equal(resolved("https://gitlab.com/o/r"), "https://gitlab.com/o/r");
  });

  it("sends the token to the proxy's address alone", () => {
    const environment = gitEnvironment({ url: `${url}/`, token, hosts: [] });
    const header = (address: string): string =>
      git(environment, "config", "--get-urlmatch", "http.extraHeader", address);
    assert.equal(header(`${url}/git/github.com/o/r.git/info/refs`), `X-Many-Hands: ${token}`);
    for (const address of [
      "https://github.com/",
      "http://127.0.0.1:4712/",
      "http://127.0.0.1/",
      "https://127.0.0.1:4711/",
      "http://127.0.0.2:4711/",
    ]) {
      assert.throws(() => header(address), address);
    }
  });

  it("keeps pairs that the hand's environment has already", () => {
    const own = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "user.name", GIT_CONFIG_VALUE_0: "somebody" };
    const environment = { ...own, ...gitEnvironment({ url, token, hosts: ["github.com"], environment: own }) };
    assert.equal(git(environment, "config", "user.name"), "somebody");
    assert.equal(git(environment, "ls-remote", "--get-url", "https://github.com/o/r"), `${url}/git/github.com/o/r`);
  });

  it("asks no helper, no person and no other proxy, whatever is configured", () => {
    const own = {
      GIT_CONFIG_COUNT: "3",
      GIT_CONFIG_KEY_0: "credential.helper",
      GIT_CONFIG_VALUE_0: "!echo username=a; echo password=b; :",
      GIT_CONFIG_KEY_1: `credential.${url}.helper`,
      GIT_CONFIG_VALUE_1: "!echo username=a; echo password=b; :",
      GIT_CONFIG_KEY_2: "http.proxy",
      GIT_CONFIG_VALUE_2: "http://127.0.0.1:1",
    };
    const fill = (environment: Readonly<Record<string, string>>): string =>
      execFileSync("git", ["-c", "core.askPass=/bin/false", "credential", "fill"], {
        env: { ...bare, GIT_TERMINAL_PROMPT: "0", ...environment },
        cwd: tmpdir(),
        input: `url=${url}/git/github.com/o/r\n\n`,
        encoding: "utf8",
        stdio: ["pipe", "pipe", "pipe"],
      });
    assert.match(fill(own), /password=b/);
    const environment = { ...own, ...gitEnvironment({ url, token, hosts: ["github.com"], environment: own }) };
    assert.throws(() => fill(environment), /terminal prompts disabled/);
    const proxy = (address: string): string => git(environment, "config", "--get-urlmatch", "http.proxy", address);
    assert.equal(proxy(`${url}/git/github.com/o/r`), "");
    assert.equal(proxy("https://gitlab.com/o/r"), "http://127.0.0.1:1");
  });
});

describe("a token for a git server", () => {
  it("goes with the name that its server wants", () => {
    const names = [
      "github.com",
      "ghe.github.example.com",
      "x.ghe.com",
      "gitlab.com",
      "gitlab.example.com:8443",
      "bitbucket.org",
      "dev.azure.com",
      "org.visualstudio.com",
      "git.example.com",
    ];
    assert.deepEqual(names.map(gitUserName), [
      "x-access-token",
      "x-access-token",
      "x-access-token",
      "oauth2",
      "oauth2",
      "x-token-auth",
      "token",
      "token",
      "git",
    ]);
    assert.equal(gitUserName("notgithub.com"), "git");
  });

  it("goes with the person's user name where there is one", () => {
    const { authorization } = gitAuthorization("bitbucket.org", { username: "me@example.com", token: "secret" });
    assert.equal(authorization, `Basic ${Buffer.from("me@example.com:secret").toString("base64")}`);
    assert.equal(gitAuthorization("github.com", { token: "s" })["authorization"], `Basic ${btoa("x-access-token:s")}`);
  });

  it("is refused, unquoted, where it cannot be sent", () => {
    for (const bad of [
      { token: "" },
      { token: "se cret" },
      { token: "secret\n" },
      { username: "a:b", token: "secret" },
    ]) {
      assert.throws(
        () => gitAuthorization("github.com", bad),
        (thrown: Error) => !thrown.message.includes("cret") && !thrown.message.includes("a:b"),
      );
    }
  });
});
