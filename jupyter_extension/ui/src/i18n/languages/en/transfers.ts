import type { Sort } from '../../../transfers/folders';
import type { TransferState } from '../../../transfers/uploads';

/** Files between this computer and the user's folders. */
export const transfers = {
  title: 'Files',
  older:
    'This desktop was started before an update of the server and knows nothing of files yet. Start it again to send and fetch files here.',
  noUpload: 'This site does not allow files to be sent to the desktop.',
  noDownload: 'This site does not allow files to be taken out of the desktop.',
  send: 'Send files here',
  sendFolder: 'Send a folder here',
  sendHint: 'Files that you drag onto the picture come here, too.',
  newFolder: 'New folder',
  folderName: 'Name of the new folder',
  make: 'Make it',

  way: 'The way to this folder',
  place: 'Place',
  home: 'Home',
  sort: 'Sorted by',
  sorts: {
    name: 'name',
    time: 'time, the newest first',
    size: 'size, the largest first',
  } as Record<Sort, string>,
  hidden: 'Show hidden ones',
  free: (size: string) => `${size} free here`,
  nothing: 'There are no files.',
  more: (left: number) => `Show more (${left})`,
  cut: 'There is more in this folder than can be shown here.',
  folder: (name: string) => `Folder ${name}`,
  choose: (name: string) => `Choose ${name}`,
  get: (name: string) => `Fetch ${name}`,
  tooLarge: (most: string) =>
    `Files over ${most} cannot be fetched here: jupyter-server-proxy, through which this page comes, holds each of them whole. Open the desktop by another way, such as JupyterLab with the Moonlight extension, or copy the file from your home with scp.`,
  getAll: (count: number) => (count === 1 ? 'Fetch the file' : `Fetch ${count} files`),

  onTheirWay: 'Files on their way',
  others: (count: number) => `and ${count} more`,
  clear: 'Remove what has arrived from this list',
  states: {
    waiting: () => 'waits',
    going: (percent) => `${percent} %`,
    paused: (percent) => `paused at ${percent} %`,
    retrying: (percent) => `interrupted at ${percent} %`,
    done: () => 'arrived',
    failed: () => 'did not arrive',
  } as Record<TransferState, (percent: number) => string>,
  again: 'It goes on by itself.',
  room: (needed: string, free: string) => `It needs ${needed}, and ${free} are free.`,
  pause: 'Pause',
  pauseOf: (name: string) => `Pause ${name}`,
  goOn: 'Go on',
  goOnOf: (name: string) => `Go on with ${name}`,
  cancel: 'Cancel',
  cancelOf: (name: string) => `Cancel ${name}`,
  summary: (done: number, all: number, failed: number) =>
    `${done} of ${all} files have arrived${failed > 0 ? `, ${failed} did not` : ''}.`,

  drop: 'Drop the files: they go to your desktop',
  dropIn: (folder: string) => `Drop the files: they go to ${folder}`,
};

export type TransferWords = typeof transfers;
