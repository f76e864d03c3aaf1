/** Tokens of the accounts that VS Code is signed in with. */
import * as vscode from "vscode";

/** Asks nobody: undefined where nobody is signed in, or where this extension was not let near the account. */
export async function accountToken(provider: string, scopes: readonly string[]): Promise<string | undefined> {
  const session = await vscode.authentication.getSession(provider, scopes, { silent: true });
  return session?.accessToken;
}

/** Leads the person through VS Code's own sign-in where that is needed. Rejects where they turn it down. */
export async function signIn(provider: string, scopes: readonly string[]): Promise<{ readonly label: string }> {
  const { account } = await vscode.authentication.getSession(provider, scopes, { createIfNone: true });
  return { label: account.label };
}
