/** The sample project: copied to where the person wants it, and opened. */
import * as vscode from "vscode";

export async function openSampleWorkspace(extensionUri: vscode.Uri, fallback: vscode.Uri): Promise<void> {
  const items = [
    { label: "$(folder) In a folder that I choose", isChosen: true },
    { label: "$(archive) In this extension's storage", isChosen: false },
  ];
  const picked = await vscode.window.showQuickPick(items, { title: "Open Sample Workspace" });
  if (picked === undefined) return;
  const parent = picked.isChosen ? await chooseFolder() : fallback;
  if (parent === undefined) return;
  const target = vscode.Uri.joinPath(parent, "many-hands-sample");
  const source = vscode.Uri.joinPath(extensionUri, "media", "sample-workspace");
  // A copy that was worked on stays as it is.
  const exists = await vscode.workspace.fs.stat(target).then(
    () => true,
    () => false,
  );
  if (!exists) await vscode.workspace.fs.copy(source, target);
  await vscode.commands.executeCommand("vscode.openFolder", target, { forceReuseWindow: true });
}

async function chooseFolder(): Promise<vscode.Uri | undefined> {
  const options = {
    canSelectFiles: false,
    canSelectFolders: true,
    canSelectMany: false,
    openLabel: "Put the Sample Here",
  };
  return (await vscode.window.showOpenDialog(options))?.[0];
}
