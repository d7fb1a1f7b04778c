import type { Choices, Preset } from '../api/types';
import type { FormValues } from './form';

export const MOST_PRESETS = 50;
export const MOST_PRESET_SIGNS = 80;
const MOST_IMAGES = 50;

/** What the server takes of an image's id, a field's name and its text. */
const IMAGE = /^[a-z0-9][a-z0-9_.-]{0,63}$/;
const FIELD = /^[a-z][a-z0-9_]{0,31}$/;
const TEXT = /^[ -~]{0,64}$/;

/** Signs that no name has: without a look of their own, but for those that join letters. */
const HIDDEN = /(?![\u200c\u200d])[\p{C}\p{Zl}\p{Zp}]/gu;
const SEEN = /(?![\u115f\u1160\u2800\u3164\uffa0])[\p{L}\p{N}\p{P}\p{S}]/u;

/** A change of what is kept, which can be made anew to what somebody else has kept meanwhile. */
export type Change = (choices: Choices) => Choices;

export const NOTHING: Choices = { image: null, picture: null, values: {}, presets: [] };

/** A name as the server takes it; empty for none. */
export function cleanName(text: string): string {
  const name = text.replace(HIDDEN, '').normalize('NFC').trim();
  const short = [...name].slice(0, MOST_PRESET_SIGNS).join('').trim();
  return SEEN.test(short) ? short : '';
}

export const sorted = (presets: readonly Preset[]): Preset[] =>
  [...presets].sort((a, b) => a.name.localeCompare(b.name)).slice(0, MOST_PRESETS);

/** One of that name is replaced. */
export const withPreset =
  (preset: Preset): Change =>
  (choices) => ({
    ...choices,
    presets: sorted([...choices.presets.filter(({ name }) => name !== preset.name), preset]),
  });

/** One that has the new name already is replaced. */
export const renamed =
  (from: string, to: string): Change =>
  (choices) =>
    choices.presets.some(({ name }) => name === from)
      ? {
          ...choices,
          presets: sorted(
            choices.presets
              .filter(({ name }) => name === from || name !== to)
              .map((preset) => (preset.name === from ? { ...preset, name: to } : preset)),
          ),
        }
      : choices;

export const without =
  (gone: string): Change =>
  (choices) => ({ ...choices, presets: choices.presets.filter(({ name }) => name !== gone) });

/** That this was launched: the last images are kept, this one behind all others. */
export const launched =
  (image: string, values: FormValues): Change =>
  (choices) => {
    const others = Object.entries(choices.values).filter(([id]) => id !== image);
    return {
      ...choices,
      image,
      picture: values.picture ?? choices.picture,
      values: Object.fromEntries([...others.slice(1 - MOST_IMAGES), [image, textsOf(values)]]),
    };
  };

/** What only this browser had so far, behind what is kept. */
export const merged =
  (own: Choices): Change =>
  (choices) => {
    const names = new Set(choices.presets.map(({ name }) => name));
    return {
      image: choices.image ?? own.image,
      picture: choices.picture ?? own.picture,
      values: { ...own.values, ...choices.values },
      presets: sorted([...choices.presets, ...own.presets.filter(({ name }) => !names.has(name))]),
    };
  };

/** What the server takes of it: what a browser has stored may be anything. */
export function clean(choices: Choices): Choices {
  const presets = new Map<string, Preset>();
  for (const { name, image, values } of choices.presets) {
    const cleaned = cleanName(name);
    if (cleaned && IMAGE.test(image)) {
      presets.set(cleaned, { name: cleaned, image, values: textsOf(values) });
    }
  }
  const values = Object.entries(choices.values).filter(([image]) => IMAGE.test(image));
  return {
    image: choices.image !== null && IMAGE.test(choices.image) ? choices.image : null,
    picture: choices.picture !== null && TEXT.test(choices.picture) ? choices.picture : null,
    values: Object.fromEntries(
      values.slice(-MOST_IMAGES).map(([image, texts]) => [image, textsOf(texts)]),
    ),
    presets: sorted([...presets.values()]),
  };
}

export const textsOf = (values: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).filter(
      (pair): pair is [string, string] =>
        FIELD.test(pair[0]) && typeof pair[1] === 'string' && TEXT.test(pair[1]),
    ),
  );
