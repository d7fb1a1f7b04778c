import type { Choices, Preset } from '../api/types';
import { readStored, readText, writeStored } from '../parts/storage';
import type { FormValues } from './form';
import type { Local } from './keeper';
import { cleanName, MOST_PRESETS, NOTHING, type Change } from './kept';

/** Per user: a shared computer, or an administrator who acts as somebody else, has several. */
export class LocalChoices implements Local {
  constructor(private readonly user: string) {}

  read = (): Choices => {
    const stored = readStored(this.key('choices'));
    return stored === null ? this.before() : choicesFrom(stored);
  };

  write = (choices: Choices): void => writeStored(this.key('choices'), choices);

  change(change: Change): Choices {
    const choices = change(this.read());
    this.write(choices);
    return choices;
  }

  given = (): boolean => readStored(this.key('choices-given')) === true;

  setGiven = (given: boolean): void => writeStored(this.key('choices-given'), given);

  /** As versions kept it that knew nothing of the server's. */
  private before(): Choices {
    const options = `${this.key('options')}:`;
    const images = storedKeys().filter((key) => key.startsWith(options));
    return choicesFrom({
      image: readText(this.key('image')),
      picture: readText(this.key('picture')),
      values: Object.fromEntries(
        images.map((key) => [key.slice(options.length), readStored(key)] as const),
      ),
      presets: readStored(this.key('presets')),
    });
  }

  private key = (what: string): string => `moonlight:${what}:${this.user}`;
}

/** With what the last launch of this image had; who hides his screen hides it whatever is on it. */
export function optionsOf(choices: Choices, image: string): Partial<FormValues> | null {
  const known: Partial<FormValues> | null = choices.values[image] ?? null;
  return choices.picture === null ? known : { ...known, picture: choices.picture };
}

function choicesFrom(stored: unknown): Choices {
  const { image, picture, values, presets } = isTable(stored) ? stored : {};
  const tables = isTable(values) ? Object.entries(values) : [];
  return {
    image: typeof image === 'string' ? image : NOTHING.image,
    picture: typeof picture === 'string' ? picture : NOTHING.picture,
    values: Object.fromEntries(tables.filter(([, table]) => isTable(table))) as Choices['values'],
    presets: Array.isArray(presets) ? presets.filter(isPreset).slice(0, MOST_PRESETS) : [],
  };
}

const isTable = (stored: unknown): stored is Record<string, unknown> =>
  typeof stored === 'object' && stored !== null && !Array.isArray(stored);

function isPreset(stored: unknown): stored is Preset {
  const { name, image, values } = isTable(stored) ? stored : {};
  const named = typeof name === 'string' && cleanName(name) !== '';
  return named && typeof image === 'string' && isTable(values);
}

function storedKeys(): string[] {
  try {
    return Array.from({ length: localStorage.length }, (_, at) => localStorage.key(at) ?? '');
  } catch {
    return [];
  }
}
