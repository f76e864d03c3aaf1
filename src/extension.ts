/**
 * Activation: what VS Code must find as soon as it is over. What stands behind it is loaded in the moment after, so that
 * no window and no other extension waits for it.
 */
import * as vscode from "vscode";
import { API_VERSION } from "./api.ts";
import type { Disposable, Listen, ManyHandsApi, SessionService } from "./api.ts";
import type { Running } from "./composition.ts";
import { messageOf } from "./core/json.ts";
import { HandFileSystem } from "./vscode/handFileSystem.ts";
import { HAND_SCHEME } from "./vscode/handUri.ts";
import { PAGE_VIEW_TYPE } from "./vscode/pageViewType.ts";

const PREFIX = "manyHands.";

let running: Promise<Running> | null = null;

export function activate(context: vscode.ExtensionContext): ManyHandsApi {
  // Not before VS Code has noted that this is over.
  const loaded = new Promise((resolve) => setTimeout(resolve, 0))
    .then(() => import("./composition.ts"))
    .then(({ compose }) => compose(context));
  loaded.catch((thrown: unknown) => vscode.window.showErrorMessage(`Many Hands could not start: ${messageOf(thrown)}`));
  running = loaded;
  const pages: vscode.WebviewPanelSerializer = {
    deserializeWebviewPanel: async (panel, state) => (await loaded).pages.deserializeWebviewPanel(panel, state),
  };
  context.subscriptions.push(
    vscode.window.registerWebviewPanelSerializer(PAGE_VIEW_TYPE, pages),
    ...commandsOf(context, loaded),
  );
  const api = apiOf(loaded.then(({ service }) => service));
  context.subscriptions.push(
    vscode.workspace.registerFileSystemProvider(HAND_SCHEME, new HandFileSystem(api), { isCaseSensitive: true }),
  );
  return api;
}

/** The host gives five seconds. */
export async function deactivate(): Promise<void> {
  await (await running)?.close();
  running = null;
}

/** Each command of the manifest. */
function commandsOf(context: vscode.ExtensionContext, loaded: Promise<Running>): readonly vscode.Disposable[] {
  const manifest = context.extension.packageJSON as { contributes: { commands: readonly { command: string }[] } };
  return manifest.contributes.commands.map(({ command }) =>
    vscode.commands.registerCommand(command, async (...args: unknown[]) => {
      try {
        const { commands } = await loaded;
        const run = commands[command.slice(PREFIX.length)];
        if (run === undefined) throw new Error(`Nothing stands behind the command ${command}.`);
        return await run(...args);
      } catch (thrown) {
        void vscode.window.showErrorMessage(messageOf(thrown));
        return undefined;
      }
    }),
  );
}

function apiOf(loaded: Promise<SessionService>): ManyHandsApi {
  /** Registers at once or as soon as it is loaded: before anything that is asked for later. */
  const register = (how: (service: SessionService) => Disposable): Disposable => {
    let registered: Disposable | null = null;
    let isDisposed = false;
    const onLoaded = (service: SessionService): void => {
      if (!isDisposed) registered = how(service);
    };
    // That it could not be loaded has been said.
    const registering = loaded.then(onLoaded, () => {});
    registering.catch((thrown: unknown) => vscode.window.showErrorMessage(messageOf(thrown)));
    return {
      dispose: () => {
        isDisposed = true;
        registered?.dispose();
      },
    };
  };
  const listen = <T>(to: (service: SessionService) => Listen<T>): Listen<T> => {
    return (listener) => register((service) => to(service)(listener));
  };
  return {
    version: API_VERSION,
    createSession: async (options) => (await loaded).createSession(options),
    listSessions: async () => (await loaded).listSessions(),
    getSession: async (id) => (await loaded).getSession(id),
    getEvents: async (id, slice) => (await loaded).getEvents(id, slice),
    emitEvent: async (id, event) => {
      // What a hand may use is a person's to say, not another program's.
      if (event.type === "user.grant_decision") throw new Error("Only a person can grant the use of a credential.");
      return (await loaded).emitEvent(id, event);
    },
    wake: async (id) => (await loaded).wake(id),
    updateSession: async (id, change) => (await loaded).updateSession(id, change),
    deleteSession: async (id) => (await loaded).deleteSession(id),
    takeOver: async (id) => (await loaded).takeOver(id),
    readBlob: async (id, ref, range) => (await loaded).readBlob(id, ref, range),
    registerHandProvider: (kind, provider) => register((service) => service.registerHandProvider(kind, provider)),
    handKinds: async () => (await loaded).handKinds(),
    listHands: async () => (await loaded).listHands(),
    testHand: async (spec, options) => (await loaded).testHand(spec, options),
    openHand: async (id, name) => (await loaded).openHand(id, name),
    restartHand: async (id, name) => (await loaded).restartHand(id, name),
    pingHands: async () => (await loaded).pingHands(),
    onDidAppendEvent: listen((service) => service.onDidAppendEvent),
    onDidStream: listen((service) => service.onDidStream),
    onDidChangeSessions: listen((service) => service.onDidChangeSessions),
    onDidChangeHands: listen((service) => service.onDidChangeHands),
  };
}
