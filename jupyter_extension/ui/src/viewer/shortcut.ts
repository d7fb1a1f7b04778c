type Pressed = Pick<KeyboardEvent, 'code' | 'ctrlKey' | 'altKey' | 'shiftKey' | 'getModifierState'>;

/**
 * Leads from the desktop, which takes all other keys, to the tools above it. AltGr, which on Windows is
 * told as Ctrl and Alt besides, writes a letter.
 */
export const isToolsShortcut = (event: Pressed): boolean =>
  event.code === 'KeyM' &&
  event.ctrlKey &&
  event.altKey &&
  event.shiftKey &&
  !event.getModifierState('AltGraph');
