import {
  createContext,
  useContext,
  useEffect,
  useMemo,
  useSyncExternalStore,
  type ReactNode,
} from 'react';

import type { ApiClient } from '../api/client';
import type { PageSettings } from '../config';
import { doorOf, type Door } from '../door';
import { SessionFeed } from './feed';
import type { FeedState } from './reducer';

interface Portal {
  settings: PageSettings;
  door: Door;
  client: ApiClient;
  feed: SessionFeed;
}

const PortalContext = createContext<Portal | null>(null);

export function PortalProvider({
  settings,
  children,
}: {
  settings: PageSettings;
  children: ReactNode;
}) {
  const portal = useMemo(() => {
    const door = doorOf(settings);
    const { client } = door;
    return { settings, door, client, feed: new SessionFeed(client) };
  }, [settings]);
  useEffect(() => portal.feed.start(), [portal]);
  return <PortalContext value={portal}>{children}</PortalContext>;
}

export function usePortal(): Portal {
  const portal = useContext(PortalContext);
  if (!portal) {
    throw new Error('usePortal is used outside of PortalProvider.');
  }
  return portal;
}

export function useFeed(): FeedState {
  const { feed } = usePortal();
  return useSyncExternalStore(feed.subscribe, feed.getState);
}
