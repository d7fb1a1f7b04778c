import { readStored, writeStored } from '../parts/storage';
import type { FormValues } from './form';

/** Per user: a shared computer, or an administrator who acts as somebody else, has several. */
export class Remembered {
  constructor(private readonly user: string) {}

  lastImage = (): string | null => readStored<string>(`moonlight:image:${this.user}`);

  optionsOf = (image: string): Partial<FormValues> | null => {
    const stored = readStored<Partial<FormValues>>(this.optionsKey(image));
    return typeof stored === 'object' ? stored : null;
  };

  keep(image: string, values: FormValues): void {
    writeStored(`moonlight:image:${this.user}`, image);
    writeStored(this.optionsKey(image), values);
  }

  private optionsKey = (image: string): string => `moonlight:options:${this.user}:${image}`;
}
