import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

const SOURCE = readFileSync(
  new URL('../../../spawner/moonlight_spawner/relay/gate.js', import.meta.url),
  'utf8',
);

/** A page of the desktop's with `gate.js` in it, whose session's end is told by what `says` is given. */
function page() {
  const sockets: { onmessage?: (event: { data: string }) => void }[] = [];
  class Socket {
    onmessage?: (event: { data: string }) => void;
    constructor(readonly url: URL) {
      sockets.push(this);
    }
  }
  class Places extends URL {
    static override createObjectURL(shown: Blob): string {
      blobs.push(shown);
      return 'blob:end';
    }
  }
  const blobs: Blob[] = [];
  const replaced: string[] = [];
  const self = Object.assign(new EventTarget(), {
    WebSocket: Socket,
    Worker: class {},
    XMLHttpRequest: class {
      open(): void {}
    },
    fetch: () => undefined,
  });
  Object.assign(self, { parent: self });
  const document = {
    querySelector: () => ({ content: 'token', dataset: {}, remove: () => undefined }),
    currentScript: { src: 'https://portal/node/n1/9/gate.js', remove: () => undefined },
    baseURI: 'https://portal/node/n1/9/',
  };
  const location = { replace: (url: string) => replaced.push(url) };
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  new Function('self', 'document', 'location', 'URL', SOURCE)(self, document, location, Places);
  return {
    self,
    replaced,
    shown: () => blobs[0]?.text(),
    says: (data: string) => sockets[0]?.onmessage?.({ data }),
  };
}

describe('the word about the end of a session', () => {
  it('is told to the viewer, which shows it itself', () => {
    const { self, says, replaced } = page();
    const heard: unknown[] = [];
    self.addEventListener('moonlight:ended', (event) => {
      heard.push((event as CustomEvent).detail);
      event.preventDefault();
    });
    says('{"page": "<h1>over</h1>", "session": {"status": "completed"}}');
    expect([heard, replaced]).toEqual([[{ status: 'completed' }], []]);
  });

  it('takes the place of a page that does not hear it', async () => {
    const { says, replaced, shown } = page();
    says('{"page": "<h1>over</h1>", "session": {"status": "completed"}}');
    expect(replaced).toEqual(['blob:end']);
    expect(await shown()).toBe('<h1>over</h1>');
  });

  it('may be the page alone, from a gateway that runs since before an update', async () => {
    const { self, says, replaced, shown } = page();
    const heard: unknown[] = [];
    self.addEventListener('moonlight:ended', (event) => heard.push((event as CustomEvent).detail));
    says('<!doctype html><h1>over</h1>');
    expect([heard, replaced]).toEqual([[null], ['blob:end']]);
    expect(await shown()).toBe('<!doctype html><h1>over</h1>');
  });
});
