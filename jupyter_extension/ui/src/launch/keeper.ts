import type { ApiClient } from '../api/client';
import { asApiError, type ApiError } from '../api/errors';
import type { Choices, KeptChoices } from '../api/types';
import { clean, merged, type Change } from './kept';

/** What this browser has of it: shown until the server has answered, and all there is at an older one. */
export interface Local {
  read: () => Choices;
  write: (choices: Choices) => void;
  /** Whether the server has had all of it. */
  given: () => boolean;
  setGiven: (given: boolean) => void;
}

/** What a user has to know of it; `unkept` is in this browser alone. */
export type Told =
  { kind: 'merged' } | { kind: 'damaged'; file: string } | { kind: 'unkept'; error: ApiError };

export interface Found {
  /** What is kept; null where that is not known. */
  choices: Choices | null;
  told: Told | null;
  /** An older server keeps nothing: it stays in this browser. */
  here: boolean;
}

type Client = Pick<ApiClient, 'choices' | 'keepChoices'>;

const MOST_TRIES = 4;

/**
 * Keeps a user's choices at the server. Nothing waits for it: what it cannot keep is in the browser, and
 * is brought again when the page comes the next time.
 */
export class Keeper {
  private known: KeptChoices | null = null;
  private here = false;
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly client: Client,
    private readonly local: Local,
  ) {}

  /** What the server keeps, with what this browser alone had before it could. */
  load = (): Promise<Found> =>
    this.inTurn(async () => {
      const { choices, damaged } = (this.known = await this.client.choices());
      const own = clean(this.local.read());
      const more = merged(own)(choices);
      if ((damaged || !this.local.given()) && !same(more, choices)) {
        return this.say(merged(own));
      }
      return this.taken(damaged);
    });

  change = (change: Change): Promise<Found> => {
    this.local.setGiven(false);
    return this.inTurn(async () => {
      if (this.here) {
        return { choices: null, told: null, here: true };
      }
      this.known ??= await this.client.choices();
      return this.say(change);
    });
  };

  private async say(change: Change): Promise<Found> {
    for (let tries = 1; ; tries += 1) {
      const { revision, choices } = (this.known ??= await this.client.choices());
      try {
        this.known = await this.client.keepChoices(revision, clean(change(choices)));
        return this.taken(this.known.damaged, tries > 1);
      } catch (cause) {
        this.known = null;
        if (asApiError(cause).code !== 'choices_changed' || tries === MOST_TRIES) {
          throw cause;
        }
      }
    }
  }

  private taken(damaged: string | null, others = false): Found {
    const { choices } = this.known!;
    this.local.write(choices);
    this.local.setGiven(true);
    const also: Told | null = others ? { kind: 'merged' } : null;
    return { choices, told: damaged ? { kind: 'damaged', file: damaged } : also, here: false };
  }

  /** One after the other, so that the page does not meet itself. */
  private inTurn(work: () => Promise<Found>): Promise<Found> {
    const done = this.last.then(work).catch((cause: unknown): Found => {
      const error = asApiError(cause);
      this.here = error.status === 404;
      this.local.setGiven(false);
      return { choices: null, told: this.here ? null : { kind: 'unkept', error }, here: this.here };
    });
    this.last = done;
    return done;
  }
}

const same = (one: Choices, other: Choices): boolean =>
  JSON.stringify(inOrder(one)) === JSON.stringify(inOrder(other));

/** JSON says nothing of the order of names, and neither does the server. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(inOrder);
  }
  return value !== null && typeof value === 'object'
    ? Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, part]) => [name, inOrder(part)])
    : value;
}
