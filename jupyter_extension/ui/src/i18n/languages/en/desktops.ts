/** The list of desktops: names, what has ended, and what is deleted of it. */
export const desktops = {
  /** After a button's own word, for who cannot see on which card it is. */
  which: (name: string, number: string) => ` ${name}, ${number}`,
  job: (id: string) => `job ${id}`,
  session: (end: string) => `session ${end}`,
  nothingRuns: 'No desktop is running or waiting.',
  ended: 'Ended',
  showMore: (n: number) => `Show ${n} more`,
  showFewer: 'Show fewer',

  name: 'Name',
  nameOptional: 'Name (optional)',
  rename: 'Rename',
  renameTitle: 'Rename this desktop',
  nameHint: (most: number) => `What you call it; ${most} characters at most. Empty: no name.`,
  nameWrong: (most: number) =>
    `Choose another name: ${most} characters at most, all of which can be seen.`,
  save: 'Save',
  saving: 'Saving…',
  cancel: 'Cancel',

  delete: 'Delete',
  deleteAll: 'Delete all ended',
  deleteTitle: 'Delete this record?',
  deleteAllTitle: (n: number) => `Delete ${n} ended ${n === 1 ? 'desktop' : 'desktops'}?`,
  deleteBody:
    'What is on record of it and its logs are deleted. Your files are not: they are in your home.',
  deleteAllBody:
    'What is on record of them and their logs are deleted. Your files are not: they are in your home.',
  keep: 'Keep it',
  keepAll: 'Keep them',
  deleting: 'Deleting…',
  deleteKept: (n: number) =>
    n === 1 ? 'One desktop could not be deleted.' : `${n} desktops could not be deleted.`,
  deleteKeptMore: (n: number) => `and ${n} more`,
};
