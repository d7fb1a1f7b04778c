import { useCallback, useMemo, useState } from 'react';

import { Launcher } from '../api/launch';
import type { LaunchRequest, Session } from '../api/types';
import { useTask, type Task } from '../parts/useTask';
import { usePortal } from '../sessions/Portal';

interface Launching extends Omit<Task, 'run'> {
  /** How often the portal was asked again; 0 at first. */
  retries: number;
  launch: (request: LaunchRequest, then?: (session: Session) => void) => void;
}

export function useLaunch(): Launching {
  const { client, feed } = usePortal();
  const launcher = useMemo(() => new Launcher(client.launch), [client]);
  const [retries, setRetries] = useState(0);
  const { run, ...task } = useTask();

  const launch = useCallback(
    (request: LaunchRequest, then?: (session: Session) => void) =>
      run(async () => {
        setRetries(0);
        const { tick } = feed.getState();
        const session = await launcher.launch(request, { onRetry: setRetries });
        feed.learn(session, tick);
        then?.(session);
      }),
    [feed, launcher, run],
  );
  return { ...task, retries, launch };
}
