import { useCallback, useMemo, useState } from 'react';

import type { ApiError } from '../api/errors';
import { Launcher } from '../api/launch';
import type { LaunchRequest, Session } from '../api/types';
import { useTask, type Task } from '../parts/useTask';
import { usePortal } from '../sessions/Portal';

export interface Retry {
  attempt: number;
  why: ApiError;
}

interface Launching extends Omit<Task, 'run'> {
  /** How often the portal was asked again, and why the last time; null at first. */
  retry: Retry | null;
  launch: (request: LaunchRequest, then?: (session: Session) => void) => void;
}

export function useLaunch(): Launching {
  const { client, feed } = usePortal();
  const launcher = useMemo(() => new Launcher(client.launch), [client]);
  const [retry, setRetry] = useState<Retry | null>(null);
  const { run, ...task } = useTask();

  const launch = useCallback(
    (request: LaunchRequest, then?: (session: Session) => void) =>
      run(async () => {
        setRetry(null);
        const { tick } = feed.getState();
        const session = await launcher.launch(request, {
          onRetry: (attempt, why) => setRetry({ attempt, why }),
        });
        feed.learn(session, tick);
        then?.(session);
      }),
    [feed, launcher, run],
  );
  return { ...task, retry, launch };
}
