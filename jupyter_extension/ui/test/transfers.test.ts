import { createElement } from 'react';
import { describe, expect, it, vi } from 'vitest';

import { ApiError } from '../src/api/errors';
import { chosen, dropped } from '../src/transfers/dropped';
import { FilesDialog } from '../src/transfers/FilesDialog';
import { Entries } from '../src/transfers/FolderView';
import { FileError, Folders, type Entry, nameOf, refusalOf, wayTo } from '../src/transfers/folders';
import { TransferList } from '../src/transfers/TransferList';
import { TransferNotice } from '../src/transfers/TransferNotice';
import { base64, type Created, type Sent } from '../src/transfers/tus';
import {
  passes,
  pauseAfter,
  Uploads,
  type Means,
  type Transfer,
  type TransferState,
} from '../src/transfers/uploads';
import type { Transfers } from '../src/transfers/useTransfers';
import { en } from '../src/i18n/languages/en';
import { ko } from '../src/i18n/languages/ko';
import { render } from './render';
import { session } from './sample';

const broken = (): ApiError => new ApiError('network', 0, '', '');

/** A gateway that keeps what it gets, and a network in between that breaks when it is told to. */
class Node implements Means {
  parts = new Map<string, string>();
  lengths = new Map<string, number>();
  files: string[] = [];
  /** What happens to the next pieces: bytes that get through before it breaks; an error; null: all is well. */
  fate: (number | ApiError | 'unheard' | null)[] = [];
  pieces: number[] = [];
  pauses: number[] = [];
  discarded: string[] = [];
  most = Infinity;
  held: Promise<void> | null = null;

  create: Means['create'] = (root, { folder, name, size, mark }) => {
    const url = `${root}uploads/${name}-${size}-${mark}`;
    this.lengths.set(url, size);
    if (!this.parts.has(url)) {
      this.parts.set(url, '');
    }
    return Promise.resolve<Created>({ url, ...this.state(url, `${folder}/${name}`) });
  };

  look: Means['look'] = (url) =>
    Promise.resolve(this.parts.has(url) || this.files.includes(url) ? this.state(url, url) : null);

  send: Means['send'] = async (url, offset, body, signal, onProgress): Promise<Sent> => {
    await this.held;
    if (signal.aborted) {
      throw broken();
    }
    this.pieces.push(body.size);
    if (body.size > this.most) {
      throw new ApiError('bad_answer', 413, '', '');
    }
    const fate = this.fate.shift() ?? null;
    if (fate instanceof ApiError) {
      throw fate;
    }
    const text = await body.text();
    const before = this.parts.get(url) ?? '';
    expect(offset).toBe(before.length);
    this.parts.set(url, before + (typeof fate === 'number' ? text.slice(0, fate) : text));
    onProgress(text.length);
    const state = this.state(url, url);
    if (fate !== null) {
      throw broken();
    }
    return state;
  };

  discard: Means['discard'] = (url) => {
    this.discarded.push(url);
    return Promise.resolve();
  };

  pause: Means['pause'] = (ms) => {
    this.pauses.push(ms);
    return Promise.resolve();
  };

  private state(url: string, at: string): Sent {
    const offset = this.parts.get(url)?.length ?? 0;
    const whole = offset === this.lengths.get(url);
    if (whole && !this.files.includes(url)) {
      this.files.push(url);
    }
    return { offset, at: whole ? at : null };
  }
}

const file = (name: string, text: string): File => new File([text], name, { lastModified: 7 });

async function sent(node: Node, ...names: string[]): Promise<Uploads> {
  const uploads = new Uploads('files/', node);
  uploads.add(
    '~',
    names.map((name) => ({ file: file(name, `${name} and more`), path: name })),
  );
  await until(() => uploads.getState().every(({ state }) => state === 'done'));
  return uploads;
}

async function until(condition: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(condition()).toBe(true), { interval: 1, timeout: 10_000 });
}

describe('uploads', () => {
  it('bring all files, the newest first in the list', async () => {
    const node = new Node();
    const uploads = await sent(node, 'a', 'b', 'c', 'd', 'e');
    expect(node.files).toHaveLength(5);
    expect(uploads.getState().map(({ path }) => path)).toEqual(['e', 'd', 'c', 'b', 'a']);
    expect(uploads.getState()[0]).toMatchObject({ sent: 10, size: 10, error: null });
    uploads.clear();
    expect(uploads.getState()).toEqual([]);
  });

  it('go on from where they broke, after longer and longer pauses', async () => {
    const node = new Node();
    node.fate = [3, 0, 0, 2, null];
    const uploads = await sent(node, 'a');
    expect(node.parts.get('files/uploads/a-10-7')).toBe('a and more');
    expect(node.pieces).toEqual([10, 7, 7, 7, 5]);
    expect(node.pauses).toEqual([500, 1_000, 2_000, 4_000]);
    expect(pauseAfter(50)).toBe(30_000);
    expect(uploads.getState()[0]?.state).toBe('done');
  });

  it('are not sent twice if only the last answer was lost', async () => {
    const node = new Node();
    node.fate = ['unheard'];
    await sent(node, 'a');
    expect(node.pieces).toEqual([10]);
    expect(node.files).toEqual(['files/uploads/a-10-7']);
  });

  it('are found again by another page', async () => {
    const node = new Node();
    node.fate = [4, new ApiError('refused', 507, 'disk_full', 'full')];
    const before = new Uploads('files/', node);
    before.add('~', [{ file: file('a', 'a and more'), path: 'a' }]);
    await until(() => before.getState()[0]?.state === 'failed');
    await sent(node, 'a');
    expect(node.pieces).toEqual([10, 6, 6]);
  });

  it('are cut into smaller pieces where a proxy takes no larger ones', async () => {
    const node = new Node();
    node.most = 600_000;
    const uploads = new Uploads('files/', node);
    uploads.add('~', [{ file: file('a', 'x'.repeat(2_000_000)), path: 'a' }]);
    await until(() => uploads.getState()[0]?.state === 'done');
    expect(node.parts.get('files/uploads/a-2000000-7')).toHaveLength(2_000_000);
    expect(Math.max(...node.pieces.slice(-3))).toBeLessThan(600_000);
  });

  it('stop at what does not pass by itself, and go on when the user has done something', async () => {
    const node = new Node();
    const full = refusalOf(
      507,
      '{"message": "full", "error": {"code": "disk_full", "needed": 9, "free": 1}}',
    );
    node.fate = [full];
    const uploads = new Uploads('files/', node);
    uploads.add('~', [{ file: file('a', 'a and more'), path: 'a' }]);
    await until(() => uploads.getState()[0]?.state === 'failed');
    expect(uploads.getState()[0]?.error).toBe(full);
    expect(node.pauses).toEqual([]);
    uploads.goOn(uploads.getState()[0]?.key ?? 0);
    await until(() => uploads.getState()[0]?.state === 'done');
  });

  it('pause and are given up', async () => {
    const node = new Node();
    let release = (): void => undefined;
    node.held = new Promise((resolve) => (release = resolve));
    const uploads = new Uploads('files/', node);
    uploads.add(
      '~',
      ['a', 'b'].map((path) => ({ file: file(path, 'text'), path })),
    );
    await until(() => uploads.getState().every(({ state }) => state === 'going'));
    const [b, a] = uploads.getState();
    uploads.pause(a?.key ?? 0);
    expect(uploads.getState().map(({ state }) => state)).toEqual(['going', 'paused']);
    await until(() => node.lengths.size === 2);
    uploads.cancel(b?.key ?? 0);
    release();
    node.held = null;
    await until(() => node.discarded.length === 1);
    expect(uploads.getState().map(({ path, state }) => [path, state])).toEqual([['a', 'paused']]);
    uploads.goOn(a?.key ?? 0);
    await until(() => uploads.getState()[0]?.state === 'done');
    expect(node.files).toEqual(['files/uploads/a-4-7']);
  });

  it('wait for each other, three at a time', async () => {
    const node = new Node();
    let release = (): void => undefined;
    node.held = new Promise((resolve) => (release = resolve));
    const uploads = new Uploads('files/', node);
    uploads.add(
      '~',
      [...'abcde'].map((path) => ({ file: file(path, 'text'), path })),
    );
    const states = (): TransferState[] => uploads.getState().map(({ state }) => state);
    await until(() => states().filter((state) => state === 'going').length === 3);
    expect(states()).toEqual(['waiting', 'waiting', 'going', 'going', 'going']);
    release();
    await until(() => states().every((state) => state === 'done'));
  });

  it.each([
    ['network', 0, '', true],
    ['gateway', 502, '', true],
    ['refused', 502, 'node_away', true],
    ['refused', 409, 'wrong_offset', true],
    ['refused', 404, 'no_such_upload', true],
    ['refused', 423, 'upload_busy', true],
    ['refused', 503, 'not_running', true],
    ['refused', 429, 'too_many_requests', true],
    ['refused', 507, 'quota_full', false],
    ['refused', 403, 'not_permitted', false],
    ['refused', 410, 'ended', false],
    ['expired', 401, '', false],
    ['refused', 500, 'file_system_failed', false],
  ] as const)('after %s %i %s: goes on by itself %s', (kind, status, code, itself) => {
    expect(passes(new ApiError(kind, status, code, ''))).toBe(itself);
  });
});

describe('what was dropped', () => {
  const plain = (name: string): object => ({
    isFile: true,
    isDirectory: false,
    name,
    file: (found: (file: File) => void) => found(file(name, name)),
  });
  const folder = (name: string, ...entries: object[]): object => ({
    isFile: false,
    isDirectory: true,
    name,
    createReader: () => {
      const left = [...entries];
      return { readEntries: (found: (some: object[]) => void) => found(left.splice(0, 1)) };
    },
  });
  const data = (...entries: object[]): DataTransfer =>
    ({
      items: entries.map((entry) => ({ webkitGetAsEntry: () => entry })),
      files: [],
    }) as unknown as DataTransfer;

  it('keeps its folders, also those in which nothing is', async () => {
    const case1 = folder('case', plain('a'), folder('runs', plain('b'), plain('c')), folder('new'));
    const { sendings, empty } = await dropped(data(plain('x'), case1));
    expect(sendings.map(({ path }) => path)).toEqual(['x', 'case/a', 'case/runs/b', 'case/runs/c']);
    expect(empty).toEqual(['case/new']);
  });

  it('is plain files where a browser knows no folders, or they were chosen', async () => {
    const files = [file('a', '1')];
    const old = { items: [{}], files } as unknown as DataTransfer;
    expect((await dropped(old)).sendings.map(({ path }) => path)).toEqual(['a']);
    const inFolder = Object.assign(file('b', '2'), { webkitRelativePath: 'dir/b' });
    expect(chosen([...files, inFolder]).map(({ path }) => path)).toEqual(['a', 'dir/b']);
  });
});

describe('addresses', () => {
  it('are taken apart for people', () => {
    expect(wayTo('~/a%20b/c')).toEqual(['~', '~/a%20b', '~/a%20b/c']);
    expect(nameOf('~/a%20b')).toBe('a b');
    expect(nameOf('~/%BC%B3')).toBe('%BC%B3');
    expect(nameOf('%2Fscratch%2Falice')).toBe('/scratch/alice');
    expect(base64('한')).toBe('7ZWc');
  });
});

describe('the words', () => {
  const uploads = new Uploads('files/', new Node());
  const one = (changes: Partial<Transfer>): Transfer => ({
    key: 1,
    path: 'run/a.txt',
    folder: '~',
    size: 2_000,
    sent: 800,
    state: 'going',
    error: null,
    at: null,
    ...changes,
  });
  const shown = (changes: Partial<Transfer>, language: 'en' | 'ko' = 'en'): string =>
    render(createElement(TransferList, { list: [one(changes)], uploads }), language);

  it('tell how far a file is and what can be done', () => {
    expect(shown({})).toMatch(/run\/a\.txt.*40 %.*2 kB.*<progress.*value="40".*Pause.*Cancel/);
    expect(shown({ state: 'paused' }, 'ko')).toMatch(/40%에서 일시 중지.*이어서 보내기/);
    expect(shown({ state: 'done' })).not.toMatch(/progress|Cancel/);
  });

  it('tell why it did not arrive, with the room that is missing', () => {
    const room = { needed: 3_000_000, free: 1_000_000 };
    const error = new FileError(new ApiError('refused', 507, 'disk_full', 'Full.'), room);
    expect(shown({ state: 'failed', error })).toMatch(
      /did not arrive.*Go on.*Full\. It needs 3\.0 MB, and 1\.0 MB are free\./,
    );
    expect(shown({ state: 'failed', error }, 'ko')).toContain(ko.reasons.disk_full);
    expect(shown({ state: 'retrying', error: broken() })).toContain(en.transfers.again);
  });

  it('are over the picture while something is on its way', () => {
    const none: Transfers = {
      folders: new Folders('/desktop/'),
      uploads,
      list: [],
      folder: null,
      choose: () => undefined,
      drop: () => undefined,
      error: null,
    };
    const notice = (list: Transfer[]): string =>
      render(createElement(TransferNotice, { transfers: { ...none, list } }));
    expect(notice([])).not.toContain('banner');
    const two = [one({ state: 'failed', key: 2 }), one({ state: 'done' })];
    expect(notice(two)).toMatch(/role="status">1 of 2 files have arrived, 1 did not\./);

    const dialog = (files: 'to_desktop' | 'from_desktop'): string =>
      render(
        createElement(FilesDialog, {
          session: session({ status: 'running', files }),
          transfers: none,
          onClose: () => undefined,
        }),
      );
    expect(dialog('to_desktop')).toContain(en.transfers.noDownload);
    expect(dialog('from_desktop')).toContain(en.transfers.noUpload);
  });
});

describe('a file that is too large for what stands before the server', () => {
  const entry = (name: string, size: number | null, kind: Entry['kind'] = 'file'): Entry => ({
    ...{ name, at: name, kind, size, changed: 0 },
  });
  const entries = [entry('small', 100), entry('large', 101), entry('unknown', null)];
  const shown = (
    language: 'en' | 'ko',
    most: number | null,
    fetches = true,
    list = entries,
  ): string =>
    render(
      createElement(Entries, {
        ...{ folders: new Folders('/'), at: '~', entries: list, fetches },
        onChoose: () => undefined,
      }),
      language,
      { largestDownload: most },
    );

  it('is not offered, and why and what to do is said', () => {
    for (const [language, { tooLarge, get, choose }] of [
      ['en', en.transfers],
      ['ko', ko.transfers],
    ] as const) {
      const page = shown(language, 100);
      const [, why] = /<p class="quiet" id="([^"]+)"/.exec(page) ?? [];
      expect(page).toContain(`data-testid="too-large">${tooLarge('100 B')}</p>`);
      expect(page).toContain(`aria-disabled="true" aria-describedby="${why}"`);
      expect(page).not.toContain(`"${get('large')}"`);
      expect(page).not.toContain(`"${choose('large')}"`);
      for (const name of ['small', 'unknown']) {
        expect(page).toContain(`"${get(name)}"`);
        expect(page).toContain(`"${choose(name)}"`);
      }
    }
  });

  it('is like any other where nothing holds it, and where nothing can be fetched', () => {
    for (const page of [
      shown('en', null),
      shown('en', 100, false),
      shown('en', 100, true, [entry('deep', 500, 'folder'), entry('small', 100)]),
    ]) {
      expect(page).not.toContain('too-large');
      expect(page).not.toContain('aria-disabled');
    }
    expect(shown('en', null)).toContain(`"${en.transfers.get('large')}"`);
  });
});
