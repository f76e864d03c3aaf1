/** The way back from a browser through VS Code's own addresses: for windows whose browser is on another computer. */
import * as vscode from "vscode";
import type { SignInRedirect } from "../core/vault.ts";

const ID = "many-hands.many-hands";
const PATH = "/oauth";

/** To be disposed of with the extension. There can be one handler of addresses only. */
export function createUriRedirect(): SignInRedirect & vscode.Disposable {
  const waiting = new Map<string, (found: URLSearchParams) => void>();
  const registration = vscode.window.registerUriHandler({
    handleUri: (uri) => {
      if (uri.path !== PATH) return;
      const found = new URLSearchParams(uri.query);
      const state = found.get("state") ?? "";
      // Anybody can open such an address: without the state of a sign-in that waits it means nothing.
      waiting.get(state)?.(found);
      waiting.delete(state);
    },
  });

  function wait(state: string, signal: AbortSignal): Promise<URLSearchParams> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        waiting.delete(state);
        reject(signal.reason as Error);
      };
      if (signal.aborted) return abort();
      signal.addEventListener("abort", abort, { once: true });
      waiting.set(state, (found) => {
        signal.removeEventListener("abort", abort);
        resolve(found);
      });
    });
  }

  return {
    open: async () => {
      const own = vscode.Uri.parse(`${vscode.env.uriScheme}://${ID}${PATH}`);
      const external = await vscode.env.asExternalUri(own);
      return { uri: external.toString(true), wait, close: async () => {} };
    },
    dispose: () => {
      registration.dispose();
      waiting.clear();
    },
  };
}

/** False: the person does not want it opened. */
export async function openInBrowser(url: string): Promise<boolean> {
  return vscode.env.openExternal(vscode.Uri.parse(url, true));
}

/** True where the person's browser is on the computer that this runs on. */
export function isBrowserHere(): boolean {
  return vscode.env.remoteName === undefined && vscode.env.uiKind === vscode.UIKind.Desktop;
}
