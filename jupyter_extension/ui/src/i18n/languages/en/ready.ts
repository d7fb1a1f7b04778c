/** How a desktop's user is told that it is ready. */
export const ready = {
  offer: 'This may take a while. This browser can tell you when the desktop is ready.',
  yes: 'Tell me',
  no: 'No, thanks',
  willTell: 'This browser tells you when it is ready, as long as this page is open.',
  told: (name: string) => `${name} is ready`,
  where: (node: string) => `It runs on ${node}.`,
  title: (name: string) => `(ready) ${name}`,
};

export type ReadyWords = typeof ready;
