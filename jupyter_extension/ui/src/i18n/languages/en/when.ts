/** When a desktop begins, and mail then. */
export const when = {
  begin: 'Start at',
  beginHint: 'Not before that, by the clock of this computer. Empty: as soon as possible.',
  mail: 'Send me mail when it starts',
  mailHint: 'The cluster sends it.',
  mailTo: 'Mail address',
  mailToHint: 'Empty: your own at this site. Other users of the cluster can read it in your job.',
};
