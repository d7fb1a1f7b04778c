import type { Chord } from '../../../viewer/host/keys';
import type { Verdict } from '../../../viewer/host/connection';
import type { Quality } from '../../../viewer/host/wishes';

/** What the tools of an open desktop say. */
export const tools = {
  settings: 'Picture and sound',
  keys: 'Keys',
  files: 'Files',
  connection: 'Connection',

  quality: 'Quality',
  qualities: {
    best: 'Best: all that was asked for at the launch',
    good: 'Good',
    low: 'Low: for a slow network',
  } as Record<Quality, string>,
  fps: 'Frames per second',
  fpsUpTo: (fps: number) => `up to ${fps}`,
  size: 'Screen size',
  sizeWindow: 'Follows the window',
  scaling: 'Scaling',
  fit: 'Fit the window',
  exact: 'Pixel by pixel',
  dense: 'Use every pixel of this display',
  denseHint: 'Sharper, but all is smaller, and there is more to encode.',
  sound: 'Sound',
  soundOn: 'Play the sound of the desktop',
  volume: 'Volume',
  remembered:
    'This browser remembers these choices for all your desktops, but for the screen size.',

  keysHint: 'Your browser or computer keeps these for itself. Here they go to the desktop.',
  chords: {
    secure: 'Ctrl + Alt + Del',
    super: 'Super (Windows key)',
    switch: 'Alt + Tab',
    print: 'Print Screen',
    terminal: 'Ctrl + Alt + T',
    fullScreen: 'F11',
    close: 'Ctrl + W',
    hangul: 'Hangul (input method)',
  } as Record<Chord, string>,
  sent: (keys: string) => `Sent: ${keys}`,
  touch: 'Touch screen',
  keyboard: 'Show the keyboard',
  trackpad: 'A finger moves the pointer, as on a trackpad',

  verdicts: {
    unknown: 'Measuring…',
    good: 'Good',
    network: 'Slow network',
    node: 'Slow node',
    cpu: 'Encoding by CPU is too slow',
    idleGpu: 'Encoding by CPU, although there is a GPU',
    here: 'Slow computer',
  } as Record<Verdict, string>,
  advice: {
    unknown: 'The first figures come within a few seconds.',
    good: 'The picture comes without delay.',
    network:
      'The way between your computer and the node is slow. Use a cable or be nearer to the access ' +
      'point, or choose a lower quality.',
    node: 'The node is late with its pictures: its CPUs are busy. Fewer frames or a smaller screen help; for your next desktop ask for more CPUs.',
    cpu: 'The CPUs of your desktop cannot encode the picture in time. Fewer frames or a smaller screen help; for your next desktop ask for a GPU or more CPUs.',
    idleGpu:
      'The picture comes in time, but takes CPUs away from your programs. Tell your administrators.',
    here: 'This computer is late in showing the picture. Close other tabs, or choose fewer frames or a smaller screen.',
  } as Record<Verdict, string>,
  figures: {
    fps: 'Frames per second',
    delay: 'Delay',
    delayParts: (node: string, network: string, here: string) =>
      `node ${node}, network ${network}, this browser ${here}`,
    mbps: 'Bandwidth',
    encoder: 'Encoder',
    by: { gpu: 'by GPU', cpu: 'by CPU' },
    transport: 'Transport',
    // Beside the transport.
    way: {
      relayed: 'through the site’s relay (TURN)',
      fallback: 'WebRTC did not come through: UDP may be blocked on the way',
    },
    size: 'Screen',
    cpu: 'CPUs of the node',
  },
  ms: (n: number) => `${n} ms`,
  mbit: (n: string) => `${n} Mbit/s`,
  percent: (n: number) => `${n} %`,
  notKnown: '–',
  still: 'A screen on which nothing moves needs no frames.',
  graph: 'The last minutes',
  graphOf: (label: string, least: string, most: string, now: string) =>
    `${label} over the last minutes: ${least} to ${most}, now ${now}.`,

  elsewhere: 'This desktop is shown in another window',
  elsewhereHint:
    'That window may be on another computer. When it is closed, the desktop comes back here by itself.',
  useHere: 'Use it here',
  insecure:
    'This browser shows desktops only on pages that come by HTTPS. Open this page by its https address.',

  // A second screen.
  addScreen: 'Add a screen',
  secondScreen: 'Second screen',
  secondHint: 'Drag windows here, over the right edge of the first screen.',
  closeScreen: 'Close this screen',
  popUpBlocked:
    'The browser has not opened a window for the second screen. Allow pop-ups for this address, then try again.',
  noFirst: 'The first screen is no longer shown beside this one',
  noRoom: 'This desktop has no room for a second screen',
  noRoomHint: 'It cannot be made so large. Make its windows smaller, then try again.',

  leaveFull: 'Hold Escape to leave full screen.',
};

export type ToolWords = typeof tools;
