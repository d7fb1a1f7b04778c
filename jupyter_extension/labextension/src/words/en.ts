export const en = {
  /** Of the language (BCP 47). */
  tag: 'en',
  product: 'Moonlight Desktop',
  caption: 'Launch a GPU desktop on a compute node and use it in this browser',
  desktops: 'Desktops',
  open: (name: string) => `Open ${name}`,
  openCaption: (node: string) =>
    node ? `Show this desktop, which runs on ${node}` : 'Show this desktop',
  stop: (name: string) => `Stop ${name}`,
  stopTitle: (name: string) => `Stop ${name}?`,
  stopBody: 'All programs on it end, and what was not saved is lost.',
  stopGuest:
    'All programs on the desktop end, and what was not saved is lost. The job it runs in goes on.',
  stopNow: 'Stop',
  keep: 'Keep it running',
  stopAll: 'Stop all desktops',
  stopAllBody: 'All programs on all your desktops end, and what was not saved is lost.',
  notStopped: 'The desktop was not stopped',
  status: {
    pending: 'waiting',
    starting: 'starting',
    running: 'running',
    stopping: 'stopping',
  },
};

export type Words = typeof en;
