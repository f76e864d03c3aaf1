/** A life of the program with a hand over SSH: says where its way to the vault is, and stays until its input ends. */
import { makeStandInProxy } from "../../fixtures/vault/standInProxy.ts";
import { makeKit } from "./sshKit.ts";

/** Its session. */
export const HANGING = "sesn_hanging";

if (import.meta.main) {
  const entrance = makeStandInProxy().entranceOf("box");
  await makeKit({ session: HANGING, entrance: entrance.open }).open({ configFile: process.argv[2] ?? "" });
  process.stdout.write(JSON.stringify(entrance.addresses[0]));
  process.stdin.on("end", () => process.exit()).resume();
}
