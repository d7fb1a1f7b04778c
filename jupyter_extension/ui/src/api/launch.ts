import { asApiError, type ApiError } from './errors';
import { newRequestKey } from './requestKey';
import type { LaunchRequest, Session } from './types';

const RETRY_AFTER_MS = [500, 1_000, 2_000, 4_000, 8_000];

type Send = (request: LaunchRequest, key: string) => Promise<Session>;

export interface LaunchHooks {
  wait?: (ms: number) => Promise<void>;
  onRetry?: (attempt: number, why: ApiError) => void;
}

/**
 * Nobody knows whether the launch arrived: asking again with the same key is safe and needed.
 * A server that fails in its own program may have launched before that.
 */
function isUncertain(error: ApiError): boolean {
  const failed = error.status >= 500 && (!error.code || error.code === 'internal_error');
  return error.kind === 'network' || error.kind === 'gateway' || failed;
}

/** It was not even looked at, so whether an earlier one arrived is not known either. */
const isPutOff = (error: ApiError): boolean => error.code === 'too_many_requests';

/**
 * Sends one launch until the server gives a definite answer.
 *
 * The key stays the same for the same request until a definite answer came, also across calls,
 * so that pressing "Try again" after a broken connection cannot start a second desktop.
 */
export class Launcher {
  private key = '';
  private request = '';

  constructor(
    private readonly send: Send,
    private readonly newKey: () => string = newRequestKey,
  ) {}

  async launch(request: LaunchRequest, hooks: LaunchHooks = {}): Promise<Session> {
    const { wait = sleep, onRetry } = hooks;
    const wanted = JSON.stringify(request);
    if (!this.key || wanted !== this.request) {
      this.key = this.newKey();
      this.request = wanted;
    }
    for (let attempt = 0; ; attempt++) {
      try {
        const session = await this.send(request, this.key);
        this.key = '';
        return session;
      } catch (cause) {
        const error = asApiError(cause);
        const pause = RETRY_AFTER_MS[attempt];
        if (!isUncertain(error) && !isPutOff(error)) {
          this.key = '';
          throw error;
        }
        if (pause === undefined) {
          throw error;
        }
        onRetry?.(attempt + 1, error);
        await wait(Math.max(pause, error.retryAfterMs));
      }
    }
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
