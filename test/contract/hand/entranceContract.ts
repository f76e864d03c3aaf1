/** What holds of the way to the credential proxy in every hand that has one. */
import assert from "node:assert/strict";
import type { Hand } from "../../../src/core/hand.ts";
import { ASK, makeStandInProxy } from "../../fixtures/vault/standInProxy.ts";
import type { StandInEntrance, StandInProxy } from "../../fixtures/vault/standInProxy.ts";
import { bash, perform, says } from "./handSupport.ts";
import type { MakePlace, Place } from "./handSupport.ts";

export function entranceContract(makePlace: MakePlace): void {
  let place: Place;
  let hand: Hand;
  let proxy: StandInProxy;
  let entrance: StandInEntrance;

  beforeEach(async () => {
    proxy = makeStandInProxy();
    entrance = proxy.entranceOf("this one");
    place = await makePlace();
    hand = await place.open(entrance.open);
  });
  afterEach(async () => {
    await hand.destroy();
    await place.remove();
    proxy.close();
  });

  it("leads a program in the hand to the proxy, which knows which hand it is", async () => {
    assert.equal(await says(hand, ASK), "hello this one\n");
    assert.doesNotMatch(hand.description, /vault/);
    assert.equal(entrance.egresses.length, 1);
  });

  it("leads each hand to its own entrance: another one's token is worth nothing there", async () => {
    const other = proxy.entranceOf("another one");
    const second = await makePlace();
    const stranger = await second.open(other.open);
    try {
      assert.equal(await says(stranger, ASK), "hello another one\n");
      const stolen = `MANY_HANDS_PROXY=\${MANY_HANDS_PROXY%/*}/${entrance.token}; export MANY_HANDS_PROXY; ${ASK}`;
      assert.equal((await says(stranger, stolen)).trim(), "");
    } finally {
      await stranger.destroy();
      await second.remove();
    }
  });

  it("takes many connections at once, each to its end", async () => {
    const at = (number: number): string => `( ${ASK} ) >"out ${number}" &`;
    const many = Array.from({ length: 20 }, (_, number) => at(number)).join("\n");
    assert.equal(await says(hand, `${many}\nwait; cat out*`), "hello this one\n".repeat(20));
  });

  it("is in the environment of every call, to the letter, whatever the call before made of it", async () => {
    const note = 'printf "%s|" "$GIT_CONFIG_VALUE_0" "$FRUIT"';
    await bash(
      hand,
      "export MANY_HANDS_PROXY=http://elsewhere GIT_CONFIG_VALUE_0=changed FRUIT=pear; unset HTTPS_PROXY",
    );
    assert.equal(await says(hand, note), `it's "odd" $HOME \\ é\nline|pear|`);
    assert.equal(await says(hand, ASK), "hello this one\n");
    assert.match(await says(hand, 'echo "$HTTPS_PROXY"'), new RegExp(`^http://mh:${entrance.token}@`));
    await perform(hand, "bash", { restart: true });
    assert.equal(await says(hand, note), `it's "odd" $HOME \\ é\nline||`);
    const setUp = await hand.run?.(ASK);
    assert.equal(setUp?.output, "hello this one\n");
  });

  it("keeps its token out of every argument list", async () => {
    const words = 'for f in /proc/[0-9]*/cmdline; do tr "\\\\0" " " <"$f"; echo; done 2>/dev/null';
    const said = await says(hand, words);
    assert.match(said, /many-hands/);
    assert.ok(!said.includes(entrance.token));
  });

  it("has the same address for who comes back, and calls that were left know it still", async () => {
    const { call } = await bash(hand, `until [ -e go ]; do sleep 0.05; done; ${ASK}`, { timeout_ms: 200 });
    await hand.close();
    hand = await place.open(entrance.open);
    assert.deepEqual(entrance.addresses[1], entrance.addresses[0]);
    await bash(hand, "touch go");
    const { result } = await perform(hand, "bash_output", { call_id: call.id, wait_ms: 60_000 });
    assert.match(result.text, /hello this one/);
    assert.equal(await says(hand, ASK), "hello this one\n");
  });

  it("is gone with the hand, and no variable leads to where it was", async () => {
    await bash(hand, "export FRUIT=pear");
    await hand.close();
    hand = await place.open();
    assert.equal(
      await says(hand, 'echo "$FRUIT/$MANY_HANDS_PROXY$MANY_HANDS_SOCKET$HTTPS_PROXY$GIT_CONFIG_COUNT"'),
      "pear/\n",
    );
    const [{ url } = { url: "" }] = entrance.addresses;
    const before = entrance.accepted();
    assert.equal((await says(hand, `export MANY_HANDS_PROXY=${url}/${entrance.token}; ${ASK}`)).trim(), "");
    assert.equal(entrance.accepted(), before);
  });

  it("is a hand without a way where the vault gives none, and says so", async () => {
    await hand.close();
    hand = await place.open(() => Promise.reject(new Error("the keyring is locked")));
    assert.match(hand.description, /without a way to the vault: the keyring is locked/);
    assert.equal(await says(hand, 'echo "[$MANY_HANDS_PROXY]"'), "[]\n");
  });
}
