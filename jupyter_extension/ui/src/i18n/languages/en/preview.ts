/** The small picture of a running desktop on its card. */
export const preview = {
  alt: (name: string) => `What the desktop ${name} shows, half a minute old at most`,
  coming: 'The picture comes in a moment.',
  hidden: 'You have hidden the picture.',
  hide: 'Hide picture',
  show: 'Show picture',
  wanted: 'Show a small picture of it in your list',
  wantedHint:
    'You alone see it, and it is kept nowhere. You can also hide and show it while the desktop runs.',
};
