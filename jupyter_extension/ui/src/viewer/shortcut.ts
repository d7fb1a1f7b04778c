type Pressed = Pick<KeyboardEvent, 'code' | 'ctrlKey' | 'altKey' | 'shiftKey'>;

/** Leads from the desktop, which takes all other keys, to the tools above it. */
export const isToolsShortcut = ({ code, ctrlKey, altKey, shiftKey }: Pressed): boolean =>
  code === 'KeyM' && ctrlKey && altKey && shiftKey;
