import { useEffect, useMemo, useSyncExternalStore, type RefObject } from 'react';

import { usePortal } from '../sessions/Portal';
import type { Link } from '../sessions/reducer';
import type { Connection } from './connection';
import { streamStateOf } from './health';
import { isFrom } from './host/selkies';
import { ConnectionWatch } from './watch';

export function useConnection(
  streamUrl: string,
  link: Link,
  frame: RefObject<HTMLIFrameElement | null>,
): { connection: Connection; reload: () => void } {
  const { hubStart } = usePortal().settings;
  const watch = useMemo(() => new ConnectionWatch(streamUrl, hubStart), [streamUrl, hubStart]);
  useEffect(() => watch.start(), [watch]);
  useEffect(() => watch.linkIs(link), [watch, link]);
  useEffect(() => {
    const hear = (event: MessageEvent): void => {
      const said = streamStateOf(event.data);
      if (said && isFrom(event, frame.current?.contentWindow, window.location.origin)) {
        watch.hear(said);
      }
    };
    window.addEventListener('message', hear);
    return () => window.removeEventListener('message', hear);
  }, [watch, frame]);
  const connection = useSyncExternalStore(watch.subscribe, watch.getState);
  return { connection, reload: watch.reload };
}
