/** Whether somebody looks at this page. */
export const isLookedAt = (): boolean => !document.hidden && document.hasFocus();
