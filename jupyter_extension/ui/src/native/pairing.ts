import type { ApiError } from '../api/errors';
import type { Native, PairedClient, PairRequest } from '../api/types';

export const DEFAULT_NAME = 'Moonlight';

export type PairValues = Record<'pin' | 'name', string>;
export type PairField = keyof PairValues;

/** What is wrong with a field, by its sentence in the dictionary. */
export type PairComplaint = 'pinWrong' | 'pinRefused' | 'nameWrong';
export type PairComplaints = Partial<Record<PairField, PairComplaint>>;

/** "10.1.0.7:48186", as a Moonlight client takes it. */
export const addressOf = ({ address, port }: Pick<Native, 'address' | 'port'>): string =>
  `${address.includes(':') ? `[${address}]` : address}:${port}`;

/** Whether the host was started again on other ports since this was asked, as the session says. */
export const hasMoved = (native: Pick<Native, 'port'> | null, port: number | null): boolean =>
  native !== null && port !== null && native.port !== port;

/** What to send: an input method may give full-width digits, a paste gives spaces. */
export const pairRequest = ({ pin, name }: PairValues): PairRequest => ({
  pin: pin.normalize('NFKC').replace(/\s/g, ''),
  name: name.normalize('NFC').trim() || DEFAULT_NAME,
});

export function checkPairing({ pin, name }: PairRequest): PairComplaints {
  return {
    ...(/^[0-9]{4}$/.test(pin) ? {} : { pin: 'pinWrong' }),
    ...(/^[\p{L}\p{N}_ .()-]{1,40}$/u.test(name) ? {} : { name: 'nameWrong' }),
  };
}

/** What a refusal says about the fields; null when it is about something else. */
export function complaintsFrom(error: ApiError): PairComplaints | null {
  if (error.status === 422) {
    return { pin: 'pinRefused' };
  }
  if (error.status !== 400) {
    return null;
  }
  const complaints: PairComplaints = {};
  for (const { field } of error.fields) {
    if (field === 'pin') {
      complaints.pin = 'pinWrong';
    } else if (field === 'name') {
      complaints.name = 'nameWrong';
    } else {
      return null;
    }
  }
  return error.fields.length > 0 ? complaints : null;
}

/** The PIN came too early, or an earlier answer that said "paired" was lost on its way. */
export const nobodyWaits = (error: ApiError): boolean => error.code === 'no_client_waits';

export const isMissing = (error: ApiError): boolean => error.status === 404;

/** Asks again when something changed meanwhile: an answer from before would undo it on the page. */
export async function askFresh<T>(ask: () => Promise<T>, changes: () => number): Promise<T> {
  for (;;) {
    const before = changes();
    const answer = await ask();
    if (changes() === before) {
      return answer;
    }
  }
}

export const withClient = (native: Native, { uuid, name }: PairedClient): Native => ({
  ...native,
  clients: [...native.clients.filter((c) => c.uuid !== uuid), { uuid, name, enabled: true }],
});

export const withoutClient = (native: Native, uuid: string): Native => ({
  ...native,
  clients: native.clients.filter((client) => client.uuid !== uuid),
});
