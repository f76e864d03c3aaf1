/** The store on disk against the contract. */
import type { SessionStore } from "../../../src/core/sessionLog.ts";
import { openStore, scratchFolder } from "../../unit/session/support.ts";
import { describeSessionStore } from "./storeContract.ts";

describeSessionStore("on disk", async () => {
  const { folder, remove } = await scratchFolder();
  const stores: SessionStore[] = [];
  return {
    openStore: (owner) => {
      const { store } = openStore(`${folder}/sessions`, { owner });
      stores.push(store);
      return store;
    },
    dispose: async () => {
      for (const store of stores) {
        for (const { id } of await store.list()) await (await store.open(id).catch(() => null))?.close();
      }
      await remove();
    },
  };
});
