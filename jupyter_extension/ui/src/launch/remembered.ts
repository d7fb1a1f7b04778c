import { readStored, readText, writeStored } from '../parts/storage';
import type { FormValues } from './form';

/** Per user: a shared computer, or an administrator who acts as somebody else, has several. */
export class Remembered {
  constructor(private readonly user: string) {}

  lastImage = (): string | null => readText(`moonlight:image:${this.user}`);

  optionsOf = (image: string): Partial<FormValues> | null => {
    const stored = readStored(this.optionsKey(image));
    const known = typeof stored === 'object' ? (stored as Partial<FormValues> | null) : null;
    const picture = readText(this.pictureKey());
    return picture === null ? known : { ...known, picture };
  };

  keep(image: string, values: FormValues): void {
    writeStored(`moonlight:image:${this.user}`, image);
    writeStored(this.optionsKey(image), values);
    if (values.picture) {
      writeStored(this.pictureKey(), values.picture);
    }
  }

  /** Of all images: who hides his screen from the list hides it whatever is on it. */
  private pictureKey = (): string => `moonlight:picture:${this.user}`;

  private optionsKey = (image: string): string => `moonlight:options:${this.user}:${image}`;
}
