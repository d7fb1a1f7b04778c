/** Behind the address of a desktop's page: this window is its second screen. */
const MARK = '#second-screen';

/** What selkies calls the screens; the second is to the right of the first. */
export type Display = 'primary' | 'display2';

export const displayOf = (hash: string): Display => (hash === MARK ? 'display2' : 'primary');

interface Opener {
  location: Pick<Location, 'pathname' | 'search'>;
  open: Window['open'];
  innerWidth: number;
  innerHeight: number;
}

/**
 * Opens the window with the second screen, or shows the one that is there; as large as this one. False
 * if the browser has blocked it.
 */
export function openSecondScreen(sessionId: string, here: Opener = window): boolean {
  const { location, innerWidth, innerHeight } = here;
  const address = `${location.pathname}${location.search}${MARK}`;
  const features = `popup,width=${innerWidth},height=${innerHeight}`;
  const opened = here.open(address, `moonlight-second-${sessionId}`, features);
  opened?.focus();
  return opened !== null;
}

/** The first window says here, to the second, whether the desktop is shown in it. */
interface Shows {
  moonlightShows?: boolean;
}

export function showsFirst(shows: boolean, here: Window = window): void {
  (here as Shows).moonlightShows = shows;
}

/**
 * Whether the first screen is shown in the window that has opened this one: without it there is nothing
 * that this one could stand beside. Undefined while that cannot be told, as while it is loaded anew.
 */
export function hasFirst({ opener }: { opener: unknown }): boolean | undefined {
  const first = opener as (Window & Shows) | null;
  if (!first || first.closed) {
    return false;
  }
  try {
    return first.moonlightShows;
  } catch {
    return false; // it has gone to a page of somebody else's
  }
}

/** This window becomes the first one. */
export function becomeFirst(here: Window = window): void {
  here.history.replaceState(null, '', `${here.location.pathname}${here.location.search}`);
  here.location.reload();
}
