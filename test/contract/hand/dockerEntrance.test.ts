/** The way from a container to the credential proxy: who gets there, and what else a limited network reaches. */
import assert from "node:assert/strict";
import type { Hand } from "../../../src/core/hand.ts";
import { makeKit } from "../../fixtures/docker/dockerKit.ts";
import type { DockerKit } from "../../fixtures/docker/dockerKit.ts";
import { startEngine, whyNoEngine } from "../../fixtures/docker/testEngine.ts";
import type { TestEngine } from "../../fixtures/docker/testEngine.ts";
import { ASK, makeStandInProxy } from "../../fixtures/vault/standInProxy.ts";
import type { StandInEntrance, StandInProxy } from "../../fixtures/vault/standInProxy.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { says, unavailable, until } from "./handSupport.ts";

describe("the way from a container to the vault", function () {
  this.timeout(120_000);
  let engine: TestEngine;
  let kit: DockerKit;
  let proxy: StandInProxy;
  let entrance: StandInEntrance;

  before(async function () {
    const reason = whyNoEngine();
    skipUnless(this, reason === null, reason ?? "");
    skipUnless(this, process.getuid?.() === 0, "listening in the network of a test's Docker engine needs root");
    engine = await startEngine();
  });
  after(async () => engine?.stop());
  beforeEach(async () => {
    kit = await makeKit(engine);
    proxy = makeStandInProxy();
    entrance = proxy.entranceOf("box");
  });
  afterEach(async () => {
    await kit.end();
    proxy.close();
  });

  /** Asks this entrance with its own token from somewhere else. */
  const askFrom = async (hand: Hand): Promise<string> => {
    const [{ url } = { url: "" }] = entrance.addresses;
    return (await says(hand, `export MANY_HANDS_PROXY=${url}/${entrance.token}; ${ASK}`)).trim();
  };

  it("is not taken from another container, not even with the right token", async () => {
    const hand = await kit.provision({}, { entrance: entrance.open });
    const sister = await kit.provision({}, { hand: "sister" });
    assert.equal(await askFrom(hand), "hello box");
    assert.equal(await askFrom(sister), "");
    const stranger = await kit.provision({}, { session: "sesn_stranger", hand: "stranger" });
    assert.equal(await askFrom(stranger), "");
    assert.equal(entrance.accepted(), 1);
  });

  it("is not taken from the engine's computer itself", async () => {
    await kit.provision({}, { entrance: entrance.open });
    const at = new URL(entrance.addresses[0]?.url ?? "");
    const ask = `printf 'GET /${entrance.token}/hello HTTP/1.0\\r\\n\\r\\n' | timeout 5 busybox nc ${at.hostname} ${at.port}`;
    assert.equal(await engine.near(["sh", "-c", ask]), "");
    assert.equal(entrance.accepted(), 0);
  });

  it("is there again for a container that was started again, wherever it is now", async () => {
    const hand = await kit.provision({}, { entrance: entrance.open });
    await hand.close();
    await engine.docker.getContainer(hand.containerId).stop({ t: 1 });
    // It takes the address that this one had.
    await kit.provision({}, { hand: "sister" });
    const again = await kit.provision({}, { entrance: entrance.open, previousInstance: hand.instance });
    assert.deepEqual(entrance.addresses[1], entrance.addresses[0]);
    assert.equal(await askFrom(again), "hello box");
  });

  it("asks for the hosts that its spec allows where its network is limited, and for no limit elsewhere", async () => {
    await kit.provision({ allow: ["npm", "*.example.com:8443"] }, { entrance: entrance.open });
    const full = proxy.entranceOf("full");
    const open = await kit.provision({ network: "full" }, { hand: "full", entrance: full.open });
    assert.deepEqual(
      [...entrance.egresses, ...full.egresses],
      [{ allowed_hosts: ["npm", "*.example.com:8443"] }, null],
    );
    assert.equal((await says(open, ASK)).trim(), "hello full");
  });

  it("keeps its container when the hosts that are allowed change", async () => {
    const hand = await kit.provision({ allow: ["npm"] });
    await hand.close();
    assert.equal((await kit.provision({ allow: ["npm", "pypi"] })).containerId, hand.containerId);
  });

  it("refuses hosts that are none, and those for a network that is not limited", async () => {
    await assert.rejects(
      kit.provision({ allow: ["https://x.example"] }),
      unavailable(/options\.allow\[0\].*give a host/),
    );
    await assert.rejects(
      kit.provision({ allow: ["npm"], network: "full" }),
      unavailable(/is for the network "limited"/),
    );
  });

  it("is said not to be there for a container without a network", async () => {
    const hand = await kit.provision({ network: "none" }, { entrance: entrance.open });
    assert.match(hand.description, /without a way to the vault: its container has no network/);
    assert.equal(await says(hand, 'echo "[$MANY_HANDS_PROXY]"'), "[]\n");
  });

  it("leads from somebody else's container too", async () => {
    const theirs = await kit.provision({ network: "full" }, { hand: "theirs" });
    const hand = await kit.provision({ container: theirs.containerId }, { entrance: entrance.open });
    assert.equal((await says(hand, ASK)).trim(), "hello box");
  });

  it("has beside it, in a limited network, the engine's computer at its gateway and nothing else", async () => {
    const hand = await kit.provision({}, { entrance: entrance.open });
    const listed = await engine.near(["sh", "-c", "ip -o addr show scope global; ip -6 -o addr show scope link"]);
    const others = listed
      .split("\n")
      .map((line) => /\binet6? ([^/ ]+)/.exec(line)?.[1] ?? "")
      .filter((address) => address !== "" && address !== hand.gateway);
    assert.ok(others.includes("203.0.113.1"));
    const reach = (address: string): Promise<string> =>
      says(hand, `timeout 3 bash -c 'exec 3<>"/dev/tcp/${address}/7777" && cat <&3' 2>/dev/null || echo nothing`);
    for (const address of ["127.0.0.1", "203.0.113.2", ...others, ...others.map((one) => `${one}%eth0`)]) {
      assert.equal((await reach(address)).trim(), "nothing", address);
    }
    // What listens at every address of the engine's computer is reached: a firewall there is its owner's.
    await until(async () => (await reach(hand.gateway ?? "")).trim() === "engine");
  });
});
