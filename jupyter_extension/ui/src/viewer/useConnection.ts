import { useEffect, useMemo, useSyncExternalStore } from 'react';

import type { Link } from '../sessions/reducer';
import type { Connection } from './connection';
import { ConnectionWatch } from './watch';

export function useConnection(
  streamUrl: string,
  link: Link,
): { connection: Connection; reload: () => void } {
  const watch = useMemo(() => new ConnectionWatch(streamUrl), [streamUrl]);
  useEffect(() => watch.start(), [watch]);
  // The portal's events break at the same moment as the picture; they may notice it first.
  useEffect(() => watch.lookNow(), [watch, link]);
  const connection = useSyncExternalStore(watch.subscribe, watch.getState);
  return { connection, reload: watch.reload };
}
