import type { DurationParts } from '../../time/format';
import type { Fate } from '../../viewer/fate';
import { choices } from './en/choices';
import { cost } from './en/cost';
import { desktops } from './en/desktops';
import { idle } from './en/idle';
import { preview } from './en/preview';
import { ready } from './en/ready';
import { sharing } from './en/sharing';
import { when } from './en/when';
import { tools } from './en/tools';
import { transfers } from './en/transfers';

/** By the server's code; `{name}` stands for a parameter that the server sends with it. */
export type Reasons = Readonly<Record<string, string>>;

function ordinal(n: number): string {
  const suffix = { one: 'st', two: 'nd', few: 'rd', other: 'th' } as Record<string, string>;
  return `${n}${suffix[new Intl.PluralRules('en', { type: 'ordinal' }).select(n)] ?? 'th'}`;
}

const runsOn: Record<Fate, string> = {
  on: 'The desktop keeps running in its own job.',
  elsewhere: 'The desktop keeps running as long as the job that it was started in.',
  unknown: 'The desktop may keep running.',
  with: 'The desktop runs in the job that this server was started in, and ends with that job.',
};

export const en = {
  product: 'Moonlight',
  tagline: 'GPU desktops in your browser',
  language: 'Language',
  signedInAs: (user: string) => `Signed in as ${user}`,
  skipToContent: 'Skip to content',
  close: 'Close',
  tryAgain: 'Try again',
  reloadPage: 'Reload the page',
  loading: 'Loading…',

  duration: ({ hours, minutes, seconds }: DurationParts) =>
    [
      hours > 0 ? `${hours} h` : '',
      minutes > 0 ? `${minutes} min` : '',
      seconds > 0 || (hours === 0 && minutes === 0) ? `${seconds} s` : '',
    ]
      .filter(Boolean)
      .join(' '),

  link: {
    lost: 'Connection to the portal lost, trying again',
    again: 'The page tries again',
    polling: 'Live updates do not get through to this browser. The page asks every few seconds.',
    expired: 'Your login has expired. Reload the page to log in.',
    stopped:
      'The Jupyter server that this page came from has ended. What is shown is the last known ' +
      'state. Start the server again; this page then goes on by itself.',
    startServer: 'Start the server',
  },

  problem: {
    network: 'The portal does not answer. Check your network connection, then try again.',
    gateway: 'The portal is not reachable at the moment. Wait a little, then try again.',
    stopped: 'The Jupyter server that this page came from has ended. Start it again at JupyterHub.',
    badAnswer: (status: number) =>
      `The portal gave an answer that this page does not understand (HTTP ${status}). Reload the page; if that does not help, tell your administrators.`,
    page: 'This page could not be shown. Reload it; if that does not help, tell your administrators.',
  },

  launch: {
    title: 'New desktop',
    images: 'What do you want to use?',
    noImages: 'This site offers no desktops yet. Ask your administrators to add one.',
    noneUsable: 'None of the desktops of this site can be used now. Ask your administrators.',
    notInstalled: (n: number, more: boolean) =>
      `${n}${more ? ' more' : ''} ${n === 1 ? 'image is' : 'images are'} not installed here`,
    notUsable: (n: number, more: boolean) =>
      `${n}${more ? ' more' : ''} ${n === 1 ? 'image' : 'images'} cannot be used here`,
    askForImages: 'Your administrators can install them.',
    forAdmins: 'For administrators:',
    launch: 'Launch',
    launching: 'Launching…',
    retrying: (attempt: number) => `No answer yet, trying again (${attempt})…`,
    putOff: (seconds: number) => `Too many launches, going on in ${seconds} s…`,
    options: 'Options',
    queueName: (partition: string, qos: string) =>
      qos ? `Partition ${partition}, QoS ${qos}` : `Partition ${partition}`,
    limitNear: (live: number, max: number) =>
      `You have ${live} of ${max} desktops. Stop one before you launch another.`,
    summary: (
      hours: string,
      cpus: string,
      memory: string,
      gpus: string,
      size: string,
      fps: string,
    ) => `${hours} h · ${cpus} CPU · ${memory} GB · ${gpus} GPU · ${size} · ${fps} fps`,
    bitrate: (mbits: string) => `${mbits} Mbit/s`,
    keyboard: (name: string) => `Keyboard: ${name}`,
    where: 'Where?',
    here: 'This job',
    hereHint: 'Free at once; ends with the job, whose resources it shares.',
    job: 'A new job',
    jobHint: 'May wait in the queue; its resources are its own.',
    timeLeft: (left: string) => `${left} left`,
    timeUnknown: 'time left: not known',
    screen: (size: string, fps: string) => `${size} · ${fps} fps`,
  },

  allocation: {
    cpus: (n: number | null) =>
      n === null ? 'CPUs: not known' : `${n} ${n === 1 ? 'CPU' : 'CPUs'}`,
    memory: (gb: number | null) => (gb === null ? 'memory: not known' : `${gb} GB`),
    gpus: (n: number | null) =>
      n === null ? 'GPUs: not known' : `${n} ${n === 1 ? 'GPU' : 'GPUs'}`,
    owned: (what: string) => `The job's: ${what}`,
    shared: (what: string, door: string) => `The job's: ${what}; shared with ${door}`,
    others: 'what else runs in it',
  },

  doors: {
    jupyterlab: 'JupyterLab',
    proxy: 'JupyterLab',
    hub: 'JupyterHub',
    ood: 'Open OnDemand',
    portal: 'the portal',
    cli: 'a terminal',
    api: 'a program',
    here: 'a job',
  } as Record<string, string>,

  field: {
    hours: 'Hours',
    cpus: 'CPUs',
    memory_gb: 'Memory (GB)',
    gpus: 'GPUs',
    resolution: 'Screen size',
    width: 'Width',
    height: 'Height',
    fps: 'Frames per second',
    bitrate_kbps: 'Max. bitrate (Mbit/s)',
    keyboard: 'Keyboard layout',
    keyboardHint:
      'of the keyboard in front of you. Korean, Japanese and Chinese bring an input method, where one is installed: Hangul key or Ctrl+Space.',
    custom: 'Other size…',
    followWindow: 'Follows the window',
    followHint: 'of the browser, whatever size that has',
    range: (min: number, max: number) => `${min} to ${max}`,
    sizeRange: (minW: number, minH: number, maxW: number, maxH: number) =>
      `${minW} × ${minH} to ${maxW} × ${maxH}`,
    notNumber: (label: string) => `${label}: enter a number.`,
    notWhole: (label: string) => `${label}: enter a whole number.`,
    outOfRange: (label: string, min: number, max: number) =>
      `${label}: this site allows ${min} to ${max}.`,
  },

  keyboardVariants: {
    nodeadkeys: 'no dead keys',
    intl: 'international',
    'altgr-intl': 'international with AltGr',
    mac: 'Mac',
    dvorak: 'Dvorak',
    colemak: 'Colemak',
    neo: 'Neo 2',
    bepo: 'BÉPO',
  },

  sessions: {
    title: 'Your desktops',
    none: 'You have no desktop yet.',
    noneHint: 'Choose one and press Launch. It opens here, in your browser.',
    couldNotLoad: 'Your desktops could not be listed.',
  },

  status: {
    pending: 'In the queue',
    starting: 'Starting',
    running: 'Running',
    stopping: 'Stopping',
    completed: 'Finished',
    failed: 'Failed',
    cancelled: 'Stopped',
    timeout: 'Time was up',
  },

  queue: {
    position: (position: number, pending: number) => `${ordinal(position)} of ${pending}`,
    positionAlone: (position: number) => `${ordinal(position)} in the queue`,
    positionAtLeast: (position: number) => `${ordinal(position)} or later`,
    place: 'Place in the queue',
    reason: 'Why it waits',
    estimate: 'Estimated start',
    estimateValue: (moment: string, relative: string) => `about ${moment} (${relative})`,
    noEstimate: 'not known yet',
    waiting: 'Waiting for the batch system.',
  },

  steps: {
    title: 'Starting your desktop',
    claim: 'Claim a display and ports',
    xserver: 'Start the X server',
    desktop: 'Start the desktop',
    host: 'Start the stream',
    picture: 'Wait for the first picture',
    gateway: 'Open the gateway',
    state: { waiting: 'waiting', running: 'in progress', done: 'done', failed: 'failed' },
  },

  session: {
    node: 'Node',
    display: 'Display',
    screen: 'Screen',
    encoder: 'Encoder',
    openGl: 'OpenGL',
    sound: 'Sound',
    soundOn: 'on',
    soundOff: 'off',
    clipboard: 'Clipboard',
    files: 'Files',
    ways: {
      both: 'both ways',
      to_desktop: 'to the desktop only',
      from_desktop: 'from the desktop only',
      off: 'off',
    },
    job: 'Job',
    id: 'Session',
    timeLeft: 'Time left',
    ends: (moment: string) => `until ${moment}`,
    endsSoon: 'Save your work: this desktop ends soon.',
    launchedAt: 'Launched',
    from: (door: string) => `from ${door}`,
    endUnknown: 'not known; it ends with its job',
    endedAt: 'Ended',
    connect: 'Connect',
    connectHint: 'opens in a new tab',
    show: 'Show progress',
    stop: 'Stop',
    log: 'Log',
    startAgain: 'Start again',
    startingAgain: 'Launching…',
    notes: 'Notes',
    stale: {
      scheduler: (moment: string) =>
        `The batch system has not answered since ${moment}; showing the last known state.`,
      node: (node: string, moment: string) =>
        `Node ${node} has reported nothing since ${moment}; showing the last known state.`,
      unclear: (moment: string) =>
        `What the batch system says has not been certain since ${moment}; showing the last known state.`,
      elsewhere: '',
      unknown: (moment: string) =>
        `The state has not been confirmed since ${moment}; showing the last known one.`,
    },
    resources: 'Asked for',
    unknownReason: 'No reason was recorded.',
  },

  stopDialog: {
    title: 'Stop this desktop?',
    body: 'Unsaved work in it is lost.',
    bodyGuest: 'Unsaved work in it is lost. The job that it runs in goes on.',
    titlePending: 'Leave the queue?',
    bodyPending: 'The desktop has not started yet. Its place in the queue is lost.',
    confirm: 'Stop the desktop',
    confirmPending: 'Leave the queue',
    cancel: 'Keep it',
    stopping: 'Stopping…',
  },

  logDialog: {
    title: (name: string) => `Log of ${name}`,
    which: 'Log file',
    refresh: 'Refresh',
    copy: 'Copy',
    copied: 'Copied',
    copyFailed: 'This browser did not allow copying. Select the text and copy it by hand.',
    none: 'There is no log yet. It appears when the job has started.',
    empty: 'This log is empty.',
    truncated: (size: string) => `Only the end is shown; the whole log has ${size}.`,
  },

  native: {
    title: 'Use a Moonlight client',
    missing: 'This site takes no Moonlight clients.',
    add: 'Add this computer in Moonlight:',
    copy: 'Copy the address',
    reach: 'Your own computer has to reach this address, by VPN if need be.',
    choose: 'Choose it there. Moonlight shows a PIN.',
    type: 'Type the PIN here:',
    pin: 'PIN',
    name: 'Name (optional)',
    pair: 'Pair',
    pairing: 'Pairing…',
    paired: (name: string) => `Paired: ${name}. It can connect now.`,
    pinWrong: 'Type the four digits that Moonlight shows.',
    pinRefused: 'Moonlight did not accept this PIN. Choose the computer again for a new one.',
    nameWrong: 'Choose another name: 1 to 40 letters, digits or spaces.',
    clients: 'Paired clients',
    noClients: 'No client is paired yet.',
    blocked: 'blocked',
    remove: 'Remove',
    removeOne: (name: string) => `Remove ${name}`,
    removed: (name: string) => `${name} was removed.`,
  },

  removeDialog: {
    title: 'Remove this client?',
    body: 'Its stream ends. It cannot connect to this desktop or to later ones until you pair it again.',
    cancel: 'Keep it',
    removing: 'Removing…',
  },

  clipboard: {
    title: 'Clipboard',
    text: 'Text',
    get: 'Get from the desktop',
    getting: 'Getting…',
    send: 'Send to the desktop',
    sending: 'Sending…',
    got: 'This is what the clipboard of the desktop holds.',
    gotPart: 'The clipboard of the desktop holds more than fits here; this is its beginning.',
    gotNothing: 'The clipboard of the desktop holds no text.',
    sent: 'The desktop has this text in its clipboard now. Paste it there.',
    onlyToDesktop: 'This site does not allow text to be taken out of the desktop.',
    onlyFromDesktop: 'This site does not allow text to be sent to the desktop.',
  },

  viewer: {
    waiting: 'Your desktop opens here by itself. You may leave this page open or come back later.',
    stopping: 'This desktop is being stopped.',
    frame: (name: string) => `${name}: the picture of your desktop`,
    toolbar: 'Desktop tools',
    showTools: 'Show the desktop tools',
    hideTools: 'Hide the desktop tools',
    fullScreen: 'Full screen',
    leaveFullScreen: 'Leave full screen',
    reload: 'Reload the picture',
    back: 'Back to my desktops',
    mine: 'My desktops',
    another: 'Start a new one from the page or card where you started this one.',
    shortcut: 'Ctrl+Alt+Shift+M leads from the desktop to these tools.',
    interrupted: (fate: Fate): string =>
      fate === 'on'
        ? 'The connection to your desktop is interrupted. It keeps running; reconnecting…'
        : `The connection to your desktop is interrupted; reconnecting… ${runsOn[fate]}`,
    offline: (fate: Fate): string =>
      fate === 'with'
        ? 'Your computer is offline; reconnecting…'
        : 'Your computer is offline. The desktop keeps running; reconnecting…',
    inFront: {
      away: (fate: Fate) =>
        `The server that leads to your desktop does not answer; trying again… ${runsOn[fate]}`,
      pending: (fate: Fate) =>
        `JupyterHub is ending the server that leads to your desktop, or starting it again; trying again… ${runsOn[fate]}`,
      stopped: (fate: Fate, hub: boolean) => {
        const again = hub ? 'Start the server again at JupyterHub' : 'Start the server again';
        const rest =
          fate === 'with'
            ? 'The desktop ran in its job and has ended with it.'
            : `${runsOn[fate]} ${again}: the picture then comes back by itself.`;
        return `The Jupyter server that leads to your desktop has ended. ${rest}`;
      },
      login: (fate: Fate) =>
        `Your login has expired, or the way to your desktop leads to another page. ${runsOn[fate]} Reload the page to log in.`,
      unknown: (fate: Fate) =>
        `What answers in the place of your desktop is not known to this page. ${runsOn[fate]} Reload the page; if that does not help, tell your administrators.`,
    },
    blocked:
      'No picture can come: this page asked for a WebSocket and none was opened, while its other ' +
      'requests are answered. A proxy between your browser and the portal has to pass the headers ' +
      'Upgrade and Connection: please tell the administrators. The desktop keeps running.',
    restored: 'Connected again',
    hostEnded: {
      host: 'What brings the picture has ended on the node and is being started again. Your desktop runs on, with all that is open on it.',
      pausing:
        'What brings the picture has ended several times in a row. As long as you look it is tried again every few seconds. Your desktop runs on; why it ended is among its notes.',
    },
    anotherStarts: 'Another window is just getting its picture; this one is next.',
    endsIn: (left: string) => `This desktop ends in ${left}. Save your work.`,
    dismiss: 'Dismiss',
    ended: 'This desktop has ended',
    unknown: 'This desktop is not known',
    unknownHint: 'It may have been removed long after it ended, or it belongs to somebody else.',
  },

  preview,
  ready,
  idle,
  sharing,
  when,
  tools,
  transfers,

  desktops,

  choices,

  cost,

  /** Of the server's own sentences, which are English. */
  reasons: {} as Reasons,

  windowTitle: {
    home: 'Moonlight desktops',
    queue: (position: number) => `${ordinal(position)} in queue`,
    pending: 'In the queue',
    starting: 'Starting',
    stopping: 'Stopping',
    ended: 'ended',
    unknown: 'Not found',
  },

  announce: {
    status: (name: string, status: string) => `${name}: ${status}`,
  },
};

/** What every language has to say; English gives the shape. */
export type Dictionary = typeof en;

export default { name: 'English', words: en };
