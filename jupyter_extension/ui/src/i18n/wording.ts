import type { ApiError } from '../api/errors';
import type { Image, Params, Said, Session, Step } from '../api/types';
import type { Retry } from '../launch/useLaunch';
import type { Dictionary } from './languages/en';

/** A sentence of the server's in this language, if its code and all that it speaks of are known; else as
 * it came. */
export function sentence(t: Dictionary, { code, params, message }: Said): string {
  const known = t.reasons[code];
  const given: Record<string, string> = { ...params, message };
  const whole = [...(known?.matchAll(/\{(\w+)\}/g) ?? [])].every(([, name = '']) => name in given);
  return known && whole
    ? known.replace(/\{(\w+)\}/g, (_, name: string) => given[name] ?? '')
    : message;
}

function byCode(
  t: Dictionary,
  code: string | null,
  message: string | null,
  params: Params = {},
): string {
  return sentence(t, { code: code ?? '', params, message: message || code || '' });
}

export function noteText(t: Dictionary, { notes, note_codes }: Session, at: number): string {
  const { code = '', params = {} } = note_codes?.[at] ?? {};
  return sentence(t, { code, params, message: notes[at] ?? '' });
}

export function queueReason(t: Dictionary, session: Session): string {
  const { queue, reason_code, reason } = session;
  return byCode(t, queue?.code ?? reason_code, queue?.message || reason) || t.queue.waiting;
}

export function endReason(t: Dictionary, session: Session): string {
  return (
    byCode(t, session.reason_code, session.reason, session.reason_params) || t.session.unknownReason
  );
}

export const imageReason = (t: Dictionary, image: Image): string =>
  byCode(t, image.unavailable_code ?? null, image.unavailable_reason);

/** What keeps the present state from being known, by the server's code, else by its sentence. */
export function staleReason(t: Dictionary, session: Session, moment: string): string {
  const why = session.stale_reason ?? '';
  const { stale } = t.session;
  switch (session.stale_code ?? (why.startsWith('Node ') ? 'NodeSilent' : 'SchedulerAway')) {
    case 'NodeSilent':
      // The server's sentence says the same without the time of day; older servers' counts the seconds.
      return stale.node(session.node ?? '', moment);
    case 'SchedulerAway':
      return `${stale.scheduler(moment)} ${why}`.trim();
    case 'SchedulerUnclear':
      return `${stale.unclear(moment)} ${why}`.trim();
    case 'StartedElsewhere':
      return `${stale.elsewhere} ${why}`.trim();
    default:
      return `${stale.unknown(moment)} ${why}`.trim();
  }
}

export function stepLabel(t: Dictionary, step: Step): string {
  const known: Record<string, string> = {
    claim: t.steps.claim,
    xserver: t.steps.xserver,
    desktop: t.steps.desktop,
    host: t.steps.host,
    picture: t.steps.picture,
    gateway: t.steps.gateway,
  };
  return known[step.id] || step.label || step.id;
}

export const stepDetail = (t: Dictionary, { detail, detail_code, detail_params }: Step): string =>
  sentence(t, { code: detail_code ?? '', params: detail_params ?? {}, message: detail ?? '' });

/** What a launch waits for that is sent again. */
export function retrying(t: Dictionary, { attempt, why }: Retry): string {
  return why.code === 'too_many_requests'
    ? t.launch.putOff(Math.ceil(why.retryAfterMs / 1_000))
    : t.launch.retrying(attempt);
}

export function problemText(t: Dictionary, error: ApiError): string {
  switch (error.kind) {
    case 'expired':
      return error.code && error.message ? `${t.link.expired} (${error.message})` : t.link.expired;
    case 'network':
      return t.problem.network;
    case 'gateway':
      return t.problem.gateway;
    case 'stopped':
      return t.problem.stopped;
    case 'bad_answer':
      return t.problem.badAnswer(error.status);
    case 'refused':
      return byCode(t, error.code, error.message) || t.problem.badAnswer(error.status);
  }
}
