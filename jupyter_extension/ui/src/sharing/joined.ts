import type { Role } from './sharing';

/** What this server gives who was let in at another user's desktop. */
export interface Joined {
  /** Opens the stream; this page alone keeps it. */
  ticket: string;
  role: Role;
  until: string;
}

/** Why it is over. */
export type Over =
  'share_ended' | 'share_time_up' | 'share_over' | 'no_invitation' | 'login_over' | 'left';

/** What the owner's node has said: of another user's node, so it is looked at before it is believed. */
export interface News {
  role?: Role;
  over?: Over;
}

const KEY = 'moonlight:shared';
/** Where a link's words wait in this tab while its user logs in at the portal (arrive.js of the server). */
const BROUGHT = 'moonlight:brought';
const ROLES: readonly unknown[] = ['view', 'control'];
const TICKET = /^[\w-]+$/;
const OVERS: readonly unknown[] = [
  'share_ended',
  'share_time_up',
  'share_over',
  'no_invitation',
  'login_over',
];

export function newsIn(text: unknown): News {
  try {
    const { role, over } = JSON.parse(String(text)) as News;
    return {
      ...(ROLES.includes(role) && { role }),
      ...(OVERS.includes(over) && { over }),
    };
  } catch {
    return {};
  }
}

/** In this tab, so that it can be loaded anew; where nothing can be kept it is not. */
export function keep(joined: Joined | null): void {
  try {
    if (joined === null) {
      sessionStorage.removeItem(KEY);
    } else {
      sessionStorage.setItem(KEY, JSON.stringify(joined));
    }
  } catch {
    return;
  }
}

/**
 * What is behind a link's "#" no server is sent; from there it goes into the form, so that it is in no
 * history and on no screen that is shown.
 */
export function takeBrought(): string {
  const waiting = takeWaiting();
  const text = location.hash.slice(1) || waiting;
  if (location.hash) {
    history.replaceState(null, '', location.pathname);
  }
  return text;
}

function takeWaiting(): string {
  try {
    const text = sessionStorage.getItem(BROUGHT) ?? '';
    sessionStorage.removeItem(BROUGHT);
    return text;
  } catch {
    return ''; // where nothing can be kept nothing waits
  }
}

/** A page of another user's may be of this origin and have opened this tab, so it is looked at. */
export function kept(): Joined | null {
  try {
    return joinedIn(JSON.parse(sessionStorage.getItem(KEY) ?? 'null'));
  } catch {
    return null;
  }
}

function joinedIn(stored: unknown): Joined | null {
  const { ticket, role, until } = (stored ?? {}) as Partial<Record<keyof Joined, unknown>>;
  const opens = typeof ticket === 'string' && TICKET.test(ticket);
  const ends = typeof until === 'string' && !Number.isNaN(Date.parse(until));
  return opens && ends && ROLES.includes(role) ? { ticket, role: role as Role, until } : null;
}
