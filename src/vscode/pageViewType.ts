/** The type of the pages of sessions, by which VS Code gives them back after a reload. */
export const PAGE_VIEW_TYPE = "manyHands.session";
