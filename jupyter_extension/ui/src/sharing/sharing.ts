/** What an invitation lets its guest do. */
export type Role = 'view' | 'control';

/** For one guest: whoever follows its link first. */
export interface Invitation {
  id: string;
  /** The owner's note of whom it is for. */
  name: string;
  /** Who has come, where a portal knows that. */
  guest?: string | null;
  role: Role;
  until: string;
  joined_at: string | null;
  /** Whether he looks at the desktop now. */
  here: boolean;
}

export interface Sharing {
  /** The most that this site lets an owner give. */
  most: Role;
  invitations: Invitation[];
}

export interface InvitationRequest {
  name: string;
  /** The portal's user whom it is for; null for any of them. */
  user?: string | null;
  role: Role;
  minutes: number;
}

/**
 * As it is made: with what its link carries, which is said once. `invitation` is that for a guest who comes
 * by a server of his own.
 */
export type MadeInvitation = Invitation & { token?: string; invitation?: string };

/** How long an invitation may last, in minutes; the last one outlives every desktop. */
export const TIMES = [15, 60, 240, 7 * 24 * 60] as const;

/**
 * What is behind the "#" no browser sends to a server, so it is in no log. What is before it is of this
 * invitation alone: whoever had the node's port before cannot have had a browser keep a page for it.
 */
export const linkOf = (page: string, { id, token }: MadeInvitation): string =>
  new URL(`join?${id}#${token ?? ''}`, page).href;

/**
 * What the owner hands to his guest: a link where one leads everybody to where he can be a guest, else
 * the text that is brought there.
 */
export function handedOver(
  page: string,
  joinUrl: string | null,
  made: MadeInvitation,
): { text: string; isLink: boolean } {
  if (made.invitation === undefined) {
    return { text: linkOf(page, made), isLink: true };
  }
  return joinUrl === null
    ? { text: made.invitation, isLink: false }
    : { text: new URL(`${joinUrl}#${made.invitation}`, page).href, isLink: true };
}
