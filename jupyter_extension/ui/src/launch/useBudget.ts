import { useEffect, useState } from 'react';

import type { Budget, Site } from '../api/types';
import { useFeed, usePortal } from '../sessions/Portal';
import { sessionsOf } from '../sessions/reducer';
import { hasEnded } from '../sessions/status';

/**
 * What the batch system leaves the user, asked behind the form, and again when a desktop came or went.
 * Nothing until it is known; an older server knows none.
 */
export function useBudget({ scheduler }: Site): Budget | null {
  const { client } = usePortal();
  const [budget, setBudget] = useState<Budget | null>(null);
  const live = sessionsOf(useFeed()).filter(({ status }) => !hasEnded(status)).length;
  useEffect(() => {
    let gone = false;
    if (scheduler === 'slurm') {
      client.budget().then(
        (found) => gone || setBudget(found),
        () => gone || setBudget(null),
      );
    }
    return () => {
      gone = true;
    };
  }, [client, scheduler, live]);
  return budget;
}
