import type { Over } from '../../../sharing/joined';
import type { Role } from '../../../sharing/sharing';

/** What is said of a desktop that is shown to others. */
export const sharing = {
  title: 'Share',
  sharedWith: (guests: number) => `Shared with ${guests}`,
  hint:
    'Whom you invite sees your whole desktop. Your files and your clipboard are not sent. ' +
    'All invitations end with the desktop.',
  invitations: 'Invitations',
  roles: { view: 'look on', control: 'look on and control' } as Record<Role, string>,
  here: 'is here',
  away: 'was here',
  notYet: 'has not come yet',
  give: 'Give control',
  take: 'Take control back',
  end: 'End',
  endAll: 'End all',
  name: 'For whom (your own note)',
  anybody: 'whoever has the link',
  user: 'For which user of this portal',
  anyUser: 'any of them who has the link',
  may: 'May',
  time: 'For how long',
  minutes: (minutes: number) =>
    minutes < 60 ? `${minutes} minutes` : `${minutes / 60} ${minutes === 60 ? 'hour' : 'hours'}`,
  always: 'as long as the desktop runs',
  make: 'Make a link',
  link: 'The link',
  once: 'It counts once, for whoever opens it first; your guest has to be logged in to this portal.',
  onceFor: (user: string) =>
    `It counts once, and for ${user} alone, who has to be logged in to this portal.`,
  makeText: 'Make an invitation',
  text: 'The invitation',
  onceText:
    'It counts once, for whoever brings it first. Your guest opens Moonlight in his own JupyterLab, ' +
    'presses “Join a shared desktop” and puts this text in.',
  join: 'Join a shared desktop',
  joinHint:
    'Put in the invitation that you were sent, or its link. Its owner shows you his desktop; where you ' +
    'are given control, what you do there is done in the owner’s name.',
  bring: 'Join',
  shown: 'A shared desktop',
  guestRoles: { view: 'You look on', control: 'You have control' } as Record<Role, string>,
  until: (time: string) => `until ${time}`,
  waits: 'The desktop cannot be reached. Trying again.',
  leave: 'Leave',
  leaveKeys: 'Ctrl + Alt + Shift + M leads out of the picture.',
  over: {
    share_ended: 'The desktop’s owner has ended the sharing.',
    share_time_up: 'The time of your invitation is up.',
    share_over: 'The desktop has ended.',
    no_invitation: 'Your invitation counts no more.',
    login_over: 'Your login at this portal has ended.',
    left: 'You have left the desktop.',
  } as Record<Over, string>,
  again: 'Ask its owner for another invitation if you want to come again.',
};

export type SharingWords = typeof sharing;
