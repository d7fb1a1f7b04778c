import type { Dictionary } from './languages/en';

/** A language that the page speaks: its own name for itself, and its words. */
interface Spoken {
  name: string;
  words: Dictionary;
}

/** A language by its tag (BCP 47), which is the name of its file. */
export type Language = string;

// Each file there is one language, and nothing else has to know of it.
const files = import.meta.glob<{ default: Spoken }>('./languages/*.ts', { eager: true });

const tagOf = (file: string): Language => file.replace(/^.*\/|\.ts$/g, '');

export const LANGUAGES: ReadonlyMap<Language, Spoken> = new Map(
  Object.entries(files).map(([file, { default: spoken }]) => [tagOf(file), spoken]),
);

/** What was chosen before, else the first of the browser's that the page speaks, else English. */
export function chooseLanguage(stored: string | null, browser: readonly string[]): Language {
  const wanted = [stored ?? '', ...browser];
  const known = wanted
    .flatMap((tag) => [tag, tag.split('-')[0]!])
    .find((tag) => LANGUAGES.has(tag));
  return known ?? 'en';
}
