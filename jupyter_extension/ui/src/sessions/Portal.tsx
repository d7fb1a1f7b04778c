import {
  createContext,
  useContext,
  useEffect,
  useMemo,
  useSyncExternalStore,
  type ReactNode,
} from 'react';

import { ApiClient } from '../api/client';
import type { PageSettings } from '../config';
import { SessionFeed } from './feed';
import type { FeedState } from './reducer';

interface Portal {
  settings: PageSettings;
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
    const client = new ApiClient(settings.baseUrl);
    return { settings, client, feed: new SessionFeed(client) };
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
