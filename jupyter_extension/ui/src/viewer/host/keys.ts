/** Keys that a browser, or the system in front of the user, keeps for itself. */
export const CHORDS = {
  secure: ['Control', 'Alt', 'Delete'],
  super: ['Meta'],
  switch: ['Alt', 'Tab'],
  print: ['PrintScreen'],
  terminal: ['Control', 'Alt', 't'],
  fullScreen: ['F11'],
  close: ['Control', 'w'],
  hangul: ['HangulMode'],
} as const;
export type Chord = keyof typeof CHORDS;

const CODES: Record<string, string> = {
  Control: 'ControlLeft',
  Alt: 'AltLeft',
  Meta: 'MetaLeft',
  HangulMode: 'Lang1',
  t: 'KeyT',
  w: 'KeyW',
};

export interface Stroke {
  type: 'keydown' | 'keyup';
  init: KeyboardEventInit;
}

/** The events of keys that go down one after the other, and up the other way round. */
export function strokesOf(chord: Chord): Stroke[] {
  const held = new Set<string>();
  const stroke = (type: Stroke['type'], key: string): Stroke => {
    if (type === 'keydown') {
      held.add(key);
    } else {
      held.delete(key);
    }
    const init = {
      key,
      code: CODES[key] ?? key,
      ctrlKey: held.has('Control'),
      altKey: held.has('Alt'),
      metaKey: held.has('Meta'),
      bubbles: true,
      cancelable: true,
    };
    return { type, init };
  };
  const keys: readonly string[] = CHORDS[chord];
  return [
    ...keys.map((key) => stroke('keydown', key)),
    ...[...keys].reverse().map((key) => stroke('keyup', key)),
  ];
}
