/** A desktop that nobody uses is ended, where the site wants that. */
export const idle = {
  rule: (after: string) => `Ends after ${after} without use.`,
  ends: (left: string) => `Nobody seems to use this desktop. It ends in ${left}.`,
  keep: 'Keep it',
  kept: 'It is kept: its time without use begins anew.',
  told: (name: string) => `${name}: nobody seems to use it`,
  toldHow: 'It will be ended soon, so that others get its GPU. Open it to keep it.',
};
