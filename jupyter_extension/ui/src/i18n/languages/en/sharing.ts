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
  may: 'May',
  time: 'For how long',
  minutes: (minutes: number) =>
    minutes < 60 ? `${minutes} minutes` : `${minutes / 60} ${minutes === 60 ? 'hour' : 'hours'}`,
  always: 'as long as the desktop runs',
  make: 'Make a link',
  link: 'The link',
  once: 'It counts once, for whoever opens it first; your guest has to be logged in to this portal.',
};

export type SharingWords = typeof sharing;
