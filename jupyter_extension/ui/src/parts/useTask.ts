import { useCallback, useRef, useState } from 'react';

import { asApiError, type ApiError } from '../api/errors';

export interface Task {
  busy: boolean;
  error: ApiError | null;
  /** Runs one thing at a time; a second press while it is under way does nothing. */
  run: (work: () => Promise<void>) => void;
  clear: () => void;
}

export function useTask(): Task {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const underWay = useRef(false);
  const run = useCallback((work: () => Promise<void>) => {
    if (underWay.current) {
      return;
    }
    underWay.current = true;
    setBusy(true);
    setError(null);
    work()
      .catch((cause: unknown) => setError(asApiError(cause)))
      .finally(() => {
        underWay.current = false;
        setBusy(false);
      });
  }, []);
  const clear = useCallback(() => setError(null), []);
  return { busy, error, run, clear };
}
