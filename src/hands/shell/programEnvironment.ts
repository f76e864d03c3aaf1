/** What programs of hands on this computer are started with. */

/** Of VS Code's own making: they would make programs believe that they run inside of it. */
const DROPPED = /^(VSCODE_|ELECTRON_|NODE_OPTIONS$|npm_|ANTHROPIC_)/;

export function programEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !DROPPED.test(name)));
}
