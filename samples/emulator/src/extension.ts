/** The sample's activation: it gets the API of Many Hands and brings it a kind of hand. */
import * as vscode from "vscode";
import type { ManyHandsApi } from "../../../src/api.ts";
import { emulatorProvider } from "./emulatorHand.ts";

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const manyHands = vscode.extensions.getExtension<ManyHandsApi>("many-hands.many-hands");
  if (manyHands === undefined) throw new Error("Many Hands is not installed.");
  const api = await manyHands.activate();
  context.subscriptions.push(api.registerHandProvider("emulator", emulatorProvider));
}
