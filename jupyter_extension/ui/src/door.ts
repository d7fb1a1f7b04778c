import { ApiClient } from './api/client';
import { OneSessionClient } from './api/oneSession';
import type { PageSettings } from './config';
import { homeUrl, joinUrl, routeOf, viewerUrl, type Route } from './routes';

/** By which server the page is served: where it learns of sessions, and what else is there. */
export interface Door {
  client: ApiClient;
  /** Which page an address is. */
  route: (pathname: string) => Route;
  /** The page with all of the user's desktops; null where there is none. */
  home: string | null;
  viewer: (sessionId: string) => string;
  /** Whether a desktop can be started here. */
  launches: boolean;
  /** Whether what a desktop has logged can be read here. */
  logs: boolean;
  /** Whether others can be invited to a desktop here. */
  shares: boolean;
  /** The page on which an invitation of another user's is brought; null where there is none. */
  join: string | null;
  /** Bytes of the largest file that can be fetched here; null: any. */
  largestDownload: number | null;
}

export function doorOf({
  baseUrl,
  hubStart,
  only,
  can,
  sharing,
  largestDownload,
}: PageSettings): Door {
  const able = {
    launches: can.includes('launch'),
    logs: can.includes('logs'),
    shares: sharing !== null,
    largestDownload,
  };
  if (only === null) {
    return {
      client: new ApiClient(baseUrl, hubStart),
      route: routeOf,
      home: homeUrl(baseUrl),
      viewer: (id) => viewerUrl(baseUrl, id),
      join: sharing === null ? null : joinUrl(baseUrl),
      ...able,
    };
  }
  return {
    client: new OneSessionClient(baseUrl, hubStart),
    route: () => ({ page: 'viewer', sessionId: only }),
    home: null,
    viewer: () => baseUrl,
    join: null,
    ...able,
  };
}
