import { saidInFront, type InFront } from './inFront';
import type { FieldError } from './types';

/**
 * What went wrong, as far as the user can act on it:
 * `network` no answer, `expired` the login, `gateway` a proxy between us and the server, `stopped`
 * a Hub whose server has ended, `refused` the server's own JSON answer, `bad_answer` something that
 * is not our API.
 */
export type ErrorKind = 'network' | 'expired' | 'gateway' | 'stopped' | 'refused' | 'bad_answer';

export class ApiError extends Error {
  constructor(
    readonly kind: ErrorKind,
    readonly status: number,
    readonly code: string,
    message: string,
    readonly fields: FieldError[] = [],
    /** The server wants to be asked again after so long, not before. */
    readonly retryAfterMs = 0,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

interface ErrorBody {
  message?: unknown;
  error?: { code?: unknown; fields?: unknown };
}

/** Anything else that is forbidden would stay so after a new login. */
const NO_LOGIN = new Set(['', 'forbidden']);

const KINDS: Partial<Record<InFront, ErrorKind>> = {
  stopped: 'stopped',
  pending: 'gateway',
  away: 'gateway',
};

/** Somebody else has answered, and no answer of ours was there to be read. */
export function errorInFront(said: InFront): ApiError {
  return new ApiError(KINDS[said] ?? 'expired', 0, '', '');
}

/** Longer than this nobody waits; a limit that is counted by the minute never asks for more. */
const LONGEST_WAIT_MS = 60_000;

/** The header `Retry-After` in milliseconds; 0 if it says no number of seconds. */
export function retryAfterMs(header: string | null): number {
  const seconds = /^[0-9]{1,6}$/.test(header ?? '') ? Number(header) : 0;
  return Math.min(seconds * 1_000, LONGEST_WAIT_MS);
}

export function errorFromAnswer(
  answer: Pick<Response, 'status'>,
  body: unknown,
  waitMs = 0,
): ApiError {
  const { status } = answer;
  const { message, error } = (typeof body === 'object' && body ? body : {}) as ErrorBody;
  const text = typeof message === 'string' ? message : '';
  const code = typeof error?.code === 'string' ? error.code : '';
  if (status === 401 || (status === 403 && NO_LOGIN.has(code))) {
    return new ApiError('expired', status, code, text);
  }
  if (code) {
    const fields = Array.isArray(error?.fields) ? (error.fields as FieldError[]) : [];
    return new ApiError('refused', status, code, text, fields, waitMs);
  }
  const kind = KINDS[saidInFront(answer)];
  if (kind) {
    return new ApiError(kind, status, '', text, [], waitMs);
  }
  return new ApiError(text ? 'refused' : 'bad_answer', status, '', text, [], waitMs);
}

export function asApiError(cause: unknown): ApiError {
  if (cause instanceof ApiError) {
    return cause;
  }
  return new ApiError('network', 0, '', cause instanceof Error ? cause.message : String(cause));
}
