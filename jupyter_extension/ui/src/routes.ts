export type Route = { page: 'home' } | { page: 'join' } | { page: 'viewer'; sessionId: string };

export function routeOf(pathname: string): Route {
  if (/\/moonlight\/join\/?$/.test(pathname)) {
    return { page: 'join' };
  }
  const match = /\/moonlight\/sessions\/([^/]+)\/?$/.exec(pathname);
  return match?.[1] ? { page: 'viewer', sessionId: match[1] } : { page: 'home' };
}

export const homeUrl = (baseUrl: string): string => `${baseUrl}moonlight/`;

export const joinUrl = (baseUrl: string): string => `${baseUrl}moonlight/join/`;

export const viewerUrl = (baseUrl: string, sessionId: string): string =>
  `${baseUrl}moonlight/sessions/${encodeURIComponent(sessionId)}/`;
