import type { Session } from '../api/types';
import type { Dictionary } from '../i18n/languages/en';
import { litPath, moonFraction } from '../parts/moonPhase';
import { calledOf } from '../sessions/called';
import { hasEnded } from '../sessions/status';

/** What the browser's tab shows. */
export interface WindowLook {
  title: string;
  icon: string;
}

const LIT = { calm: '#f3d58b', running: '#f3d58b', waiting: '#9db2ff', failed: '#ff9c8f' };

function moonIcon(fraction: number, colour: string): string {
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40">' +
    '<rect width="40" height="40" rx="9" fill="#1b2450"/>' +
    `<circle cx="20" cy="20" r="14" fill="#2e3a74" stroke="${colour}" stroke-width="1.5"/>` +
    `<path d="${litPath(fraction, 20, 14)}" fill="${colour}"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/** `ready`: the desktops that became so unseen. */
export function homeLook(
  t: Dictionary,
  sessions: readonly Session[],
  ready: readonly Session[],
): WindowLook {
  if (ready.length > 0) {
    return readyLook(t, ready);
  }
  const next = nextOf(sessions);
  const place = next ? `${waitingFor(t, next)} · ` : '';
  return { title: `${place}${t.windowTitle.home}`, icon: moonIcon(0.7, LIT.calm) };
}

export const readyLook = (t: Dictionary, ready: readonly Session[]): WindowLook => ({
  title: t.ready.title(ready.map(calledOf).join(', ')),
  icon: moonIcon(1, LIT.running),
});

/** Of those on their way, the one that is there first. */
function nextOf(sessions: readonly Session[]): Session | undefined {
  const place = ({ queue }: Session): number => queue?.position ?? Infinity;
  const queued = sessions.filter(({ status }) => status === 'pending');
  return (
    sessions.find(({ status }) => status === 'starting') ??
    queued.reduce<Session | undefined>((a, b) => (a && place(a) <= place(b) ? a : b), undefined)
  );
}

function waitingFor(t: Dictionary, { status, queue }: Session): string {
  const waiting =
    status === 'pending' && queue?.position != null
      ? t.windowTitle.queue(queue.position)
      : t.windowTitle[status as 'pending' | 'starting' | 'stopping'];
  return `⏳ ${waiting}`;
}

export const joinLook = (t: Dictionary): WindowLook => ({
  title: t.sharing.shown,
  icon: moonIcon(0.7, LIT.calm),
});

export const unknownLook = (t: Dictionary): WindowLook => ({
  title: `■ ${t.windowTitle.unknown}`,
  icon: moonIcon(0, LIT.failed),
});

export function sessionLook(t: Dictionary, session: Session): WindowLook {
  const fraction = moonFraction(session);
  const { status } = session;
  const name = calledOf(session);
  if (hasEnded(status)) {
    const colour = status === 'failed' ? LIT.failed : LIT.waiting;
    return { title: `■ ${t.windowTitle.ended}: ${name}`, icon: moonIcon(fraction, colour) };
  }
  if (status === 'running') {
    return { title: `▶ ${name}`, icon: moonIcon(fraction, LIT.running) };
  }
  return { title: waitingFor(t, session), icon: moonIcon(fraction, LIT.waiting) };
}

export function showInWindow({ title, icon }: WindowLook): void {
  document.title = title;
  const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  if (link && link.href !== icon) {
    link.href = icon;
  }
}
