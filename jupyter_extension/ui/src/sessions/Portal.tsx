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
import { useSpeech } from '../i18n/Language';
import type { Language } from '../i18n/languages';
import { sessionIn } from '../i18n/naming';
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

/** What the feed knows, with the images' names in the page's language. */
export function useFeed(): FeedState {
  const { feed } = usePortal();
  const { language } = useSpeech();
  const state = useSyncExternalStore(feed.subscribe, feed.getState, feed.getState);
  return useMemo(() => inLanguage(language, state), [language, state]);
}

function inLanguage(language: Language, state: FeedState): FeedState {
  const entries = Object.entries(state.entries).map(([id, entry]) => [
    id,
    { ...entry, session: sessionIn(language, entry.session) },
  ]);
  return { ...state, entries: Object.fromEntries(entries) };
}
