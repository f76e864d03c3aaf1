/** A walk through the files of a hand, by quick pick, to a file that is opened; and a file beside the workspace's own. */
import { posix } from "node:path";
import * as vscode from "vscode";
import type { FileEntry, HandFiles } from "../core/hand.ts";
import { messageOf } from "../core/json.ts";
import type { SessionService } from "../core/service.ts";
import { HAND_SCHEME, handAuthority, parseHandAuthority } from "./handUri.ts";
import type { HandAddress } from "./handUri.ts";

interface Entry extends vscode.QuickPickItem {
  readonly path: string;
  readonly isFolder: boolean;
}

export interface BrowsedHand extends HandAddress {
  readonly files: HandFiles;
}

const NEW_FILE: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("new-file"), tooltip: "New File…" };
const COMPARE: vscode.QuickInputButton = {
  iconPath: new vscode.ThemeIcon("diff"),
  tooltip: "Compare with the Workspace's File",
};

function uriOfHand(address: HandAddress, path: string): vscode.Uri {
  return vscode.Uri.from({ scheme: HAND_SCHEME, authority: handAuthority(address), path });
}

/** Resolves when a file was opened or the person gave up. */
export async function browseHand(hand: BrowsedHand): Promise<void> {
  const pick = vscode.window.createQuickPick<Entry>();
  pick.matchOnDescription = false;
  pick.placeholder = "A file to open, or a folder to look into";
  pick.buttons = [NEW_FILE];
  try {
    await new Promise<void>((resolve, reject) => {
      let folder = hand.files.root;
      const enter = async (path: string): Promise<void> => {
        pick.busy = true;
        pick.value = "";
        pick.title = `${hand.hand}: ${path}`;
        try {
          pick.items = await entriesOf(hand.files, path);
          folder = path;
        } catch (thrown) {
          pick.title = `${hand.hand}: ${folder}`;
          void vscode.window.showErrorMessage(messageOf(thrown));
        }
        pick.busy = false;
      };
      const leave = (open: () => Promise<unknown>): void => {
        pick.hide();
        open().then(() => resolve(), reject);
      };
      const openFile = (path: string): Promise<unknown> => show(uriOfHand(hand, path));
      pick.onDidAccept(() => {
        const [chosen] = pick.selectedItems;
        if (chosen === undefined) return;
        if (chosen.isFolder) void enter(chosen.path);
        else leave(() => openFile(chosen.path));
      });
      pick.onDidTriggerItemButton(({ item }) => leave(() => compare(hand, item.path, hand.files.root)));
      pick.onDidTriggerButton(() => leave(() => newFile(hand, folder).then((path) => path !== null && openFile(path))));
      pick.onDidHide(() => resolve());
      pick.show();
      void enter(folder);
    });
  } finally {
    pick.dispose();
  }
}

/** The workspace's file with the same path below the workspace folder as this one has below the hand's start directory. */
export async function compareWithWorkspace(service: SessionService, target: unknown): Promise<void> {
  const uri = target instanceof vscode.Uri ? target : vscode.window.activeTextEditor?.document.uri;
  const address = uri?.scheme === HAND_SCHEME ? parseHandAuthority(uri.authority) : null;
  if (uri === undefined || address === null) throw new Error("Open a file of a hand first.");
  const { files } = await service.openHand(address.sessionId, address.hand);
  await compare(address, uri.path, files?.root ?? "/");
}

async function compare(address: HandAddress, path: string, root: string): Promise<void> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  if (folder === undefined) throw new Error("Open a folder first: its file is what this one is compared with.");
  const relative = posix.relative(root, path);
  if (relative === "" || relative.startsWith("../")) {
    throw new Error(`${path} is not below ${root}, where the hand begins: no file of the workspace corresponds to it.`);
  }
  const own = vscode.Uri.joinPath(folder, relative);
  const isThere = await vscode.workspace.fs.stat(own).then(
    () => true,
    () => false,
  );
  if (!isThere) throw new Error(`The workspace has no file ${relative}.`);
  const title = `${posix.basename(path)} (workspace ↔ ${address.hand})`;
  await vscode.commands.executeCommand("vscode.diff", own, uriOfHand(address, path), title);
}

async function show(uri: vscode.Uri): Promise<void> {
  // Not showTextDocument: a picture has an editor of its own.
  await vscode.commands.executeCommand("vscode.open", uri);
}

async function newFile({ files }: BrowsedHand, folder: string): Promise<string | null> {
  const name = await vscode.window.showInputBox({
    title: `New File in ${folder}`,
    validateInput: (text) => (text.trim() === "" || text.endsWith("/") ? "The name of a file." : undefined),
  });
  if (name === undefined) return null;
  const path = posix.resolve(folder, name);
  const isThere = await files.stat(path).then(
    () => true,
    () => false,
  );
  if (!isThere) await files.write(path, nothing());
  return path;
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

async function entriesOf(files: HandFiles, folder: string): Promise<readonly Entry[]> {
  const entries = await files.list(folder);
  const byName = entries.toSorted((a, b) => a.name.localeCompare(b.name));
  const folders = byName.filter(({ kind }) => kind === "directory").map((entry) => folderItem(folder, entry.name));
  const others = byName.filter(({ kind }) => kind === "file").map((entry) => fileItem(folder, entry));
  const up = folder === "/" ? [] : [{ ...folderItem(folder, ".."), label: "$(arrow-up) .." }];
  return [...up, ...folders, ...others];
}

function folderItem(folder: string, name: string): Entry {
  return { label: `$(folder) ${name}`, path: posix.join(folder, name), isFolder: true };
}

function fileItem(folder: string, { name, bytes, is_link }: FileEntry): Entry {
  const icon = is_link ? "file-symlink-file" : "file";
  const path = posix.join(folder, name);
  return { label: `$(${icon}) ${name}`, description: sizeText(bytes), path, isFolder: false, buttons: [COMPARE] };
}

function sizeText(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1_024 ** power).toFixed(1)} ${units[power - 1] ?? ""}`;
}
