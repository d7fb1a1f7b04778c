import type { LaunchRequest, Site } from '../api/types';

/** What stands in the inputs: a time as an input of the browser has it, in this computer's zone. */
export interface When {
  begin: string;
  mail: boolean;
  mailTo: string;
}

export const AT_ONCE: When = { begin: '', mail: false, mailTo: '' };

const DAY_MS = 86_400_000;

/** For the request; a time with its zone. A server that knows nothing of it is sent nothing. */
export function whenOf({ begin, mail, mailTo }: When): Partial<LaunchRequest> {
  const moment = begin ? new Date(begin) : null;
  const valid = moment && !Number.isNaN(moment.getTime());
  return {
    ...(valid && { begin: moment.toISOString() }),
    ...(mail && { mail: true, ...(mailTo.trim() && { mail_to: mailTo.trim() }) }),
  };
}

/** As an input of the browser takes it: this computer's time, to the minute. */
export function localInput(ms: number): string {
  const local = new Date(ms);
  local.setMinutes(local.getMinutes() - local.getTimezoneOffset());
  return local.toISOString().slice(0, 16);
}

/** From when to when a desktop may be told to begin; nothing where it always begins at once. */
export const beginRange = (
  { begin_days }: Pick<Site, 'begin_days'>,
  now: number,
): { min: string; max: string } | null =>
  begin_days ? { min: localInput(now), max: localInput(now + begin_days * DAY_MS) } : null;
