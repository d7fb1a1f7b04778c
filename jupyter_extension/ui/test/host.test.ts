import { createElement } from 'react';
import { describe, expect, it, vi } from 'vitest';

import {
  delayOf,
  delaysOf,
  verdictOf,
  withSample,
  type Path,
  type Sample,
} from '../src/viewer/host/connection';
import { CHORDS, strokesOf } from '../src/viewer/host/keys';
import { ownPage } from '../src/viewer/host/ownPage';
import { isFrom, pathOf, sampleOf, saysElsewhere, SelkiesHost } from '../src/viewer/host/selkies';
import { Elsewhere } from '../src/viewer/Elsewhere';
import { isToolsShortcut } from '../src/viewer/shortcut';
import { figuresOf } from '../src/viewer/tools/ConnectionDialog';
import { Graph } from '../src/viewer/tools/Graph';
import { lineOf } from '../src/viewer/tools/line';
import { mayAct, SAME_GESTURE_MS } from '../src/viewer/useFold';
import { enterFullScreen } from '../src/viewer/useFullScreen';
import { en } from '../src/i18n/languages/en';
import { ko } from '../src/i18n/languages/ko';
import { render } from './render';
import { session } from './sample';

const sample = (changes: Partial<Sample> = {}): Sample => ({
  at: 0,
  fps: 30,
  roundTrip: 12,
  node: 9,
  here: 5,
  mbps: 2,
  cpu: 30,
  ...changes,
});
const path = (changes: Partial<Path> = {}): Path => ({
  encoder: 'x264 h264',
  gpuEncodes: false,
  gpuExpected: false,
  transport: 'websockets',
  relayed: false,
  decoder: 'software',
  size: '1280x720',
  poor: false,
  ...changes,
});
const steady = (changes: Partial<Sample>): Sample[] => Array(5).fill(sample(changes)) as Sample[];

describe('what the client in the frame says', () => {
  it('is heard from our own frame and origin alone', () => {
    const frame = {} as Window;
    expect(isFrom({ origin: 'https://a', source: frame }, frame, 'https://a')).toBe(true);
    expect(isFrom({ origin: 'https://b', source: frame }, frame, 'https://a')).toBe(false);
    expect(isFrom({ origin: 'https://a', source: {} as Window }, frame, 'https://a')).toBe(false);
    expect(isFrom({ origin: 'https://a', source: null }, null, 'https://a')).toBe(false);
  });

  it('is read without trust in its shape', () => {
    expect(sampleOf({}, 7)).toEqual({
      at: 7,
      fps: null,
      roundTrip: null,
      node: null,
      here: null,
      mbps: null,
      cpu: null,
    });
    const data = {
      latest: { fps: 29.5, rtt_ms: 0, send_ms: 8, present_ms: 'soon', mbps: 1.5, cpu_percent: 12 },
      info: { encoder: 'x264', codec: 'h264', hardware: false, hardware_expected: true },
      client: { transport: 'websockets', resolution: '1280x720', connection: 'poor' },
    };
    expect(sampleOf(data, 7)).toMatchObject({ fps: 29.5, roundTrip: null, node: 8, here: null });
    expect(pathOf(data)).toMatchObject({ encoder: 'x264 h264', gpuExpected: true, poor: true });
    expect(pathOf(undefined)).toMatchObject({ encoder: '', gpuEncodes: null, relayed: false });
    expect(pathOf({ client: { transport: 'webrtc', path: 'relay udp' } }).relayed).toBe(true);
    expect(pathOf({ client: { transport: 'webrtc', path: 'host' } }).relayed).toBe(false);
  });

  it('tells that another window has the picture', () => {
    const kill = 'a new primary client connected connection killed';
    expect(saysElsewhere(`Connection Terminated: ${kill}`)).toBe(true);
    expect(saysElsewhere('Session opened elsewhere. Reload this page to take over.')).toBe(true);
    expect(saysElsewhere('Disconnected: Superseded by a new controller connection.')).toBe(true);
    const loop = 'Session takeover loop detected; another page holds this session.';
    expect(saysElsewhere(`Disconnected: ${loop}`)).toBe(true);
    expect(saysElsewhere('WebSocket disconnected. Attempting to reconnect...')).toBe(false);
  });
});

describe('the verdict on the connection', () => {
  it.each([
    ['unknown', [], path()],
    ['unknown', steady({}), null],
    ['good', steady({}), path()],
    ['good', steady({ fps: 0, node: null, here: null }), path()],
    ['network', steady({ roundTrip: 300 }), path()],
    ['network', steady({}), path({ poor: true })],
    ['cpu', steady({ node: 120 }), path()],
    ['good', steady({ cpu: 99 }), path()],
    ['node', steady({ node: 120 }), path({ gpuEncodes: true })],
    ['here', steady({ here: 200 }), path()],
    ['idleGpu', steady({}), path({ gpuExpected: true })],
  ] as [string, Sample[], Path | null][])('is %s', (verdict, samples, way) => {
    expect(verdictOf(samples, way)).toBe(verdict);
  });

  it('does not change with one bad moment', () => {
    const once = [...steady({}), sample({ roundTrip: 900, node: 400 })];
    expect(verdictOf(once, path())).toBe('good');
  });

  it('adds the delay up, and keeps the last minutes', () => {
    expect(delayOf([sample({ node: 10, roundTrip: 20, here: 5 })])).toBe(25);
    expect(delayOf([sample({ node: null, roundTrip: null })])).toBeNull();
    const uneven = [10, 90, 20, 30, 70].map((node) => sample({ node, roundTrip: 0, here: 0 }));
    expect(delaysOf(uneven)[0]).toBe(10);
    expect(delaysOf(uneven)[4], 'the graph ends with the figure beside it').toBe(delayOf(uneven));
    let samples: readonly Sample[] = [];
    for (let at = 0; at < 500; at += 1) {
      samples = withSample(samples, sample({ at }));
    }
    expect(samples).toHaveLength(150);
    expect(samples[149]?.at).toBe(499);
  });

  it('comes with its figures, in words too', () => {
    const shown = figuresOf(en, steady({}), path()).map(({ label, value }) => `${label}: ${value}`);
    expect(shown).toContain('Delay: 20 ms');
    expect(shown).toContain('Encoder: x264 h264, by CPU');
    expect(shown).toContain('Transport: WebSocket');
    for (const words of [en, ko]) {
      const beside = (way: Path, fellBack: boolean): string =>
        figuresOf(words, steady({}), way, fellBack)
          .filter(({ label }) => label === words.tools.figures.transport)
          .map(({ value, more }) => `${value} ${more}`)
          .join();
      const { way } = words.tools.figures;
      expect(beside(path(), false)).toBe('WebSocket ');
      expect(beside(path(), true)).toBe(`WebSocket ${way.fallback}`);
      expect(beside(path({ transport: 'webrtc' }), false)).toBe('WebRTC ');
      expect(beside(path({ transport: 'webrtc', relayed: true }), false)).toBe(
        `WebRTC ${way.relayed}`,
      );
    }
    const graph = createElement(Graph, {
      label: 'Delay',
      values: [10, null, 30],
      show: (n: number) => `${n} ms`,
    });
    expect(render(graph)).toMatch(
      /role="img" aria-label="Delay over the last minutes: 10 ms to 30/,
    );
    expect(lineOf([0, 5, null, 10], 30, 12)).toBe('M0.0 11.0h0L10.0 6.0M30.0 1.0h0');
    expect(lineOf([0, 0], 30, 12)).toBe('M0.0 11.0h0L30.0 11.0');
  });
});

describe('keys that a browser keeps', () => {
  it('go down one after the other and up the other way round, with what is held', () => {
    const events = strokesOf('secure').map(({ type, init }) => {
      const held = [init.ctrlKey && 'ctrl', init.altKey && 'alt'].filter(Boolean).join('+');
      return `${type} ${init.code} ${held}`.trim();
    });
    expect(events).toEqual([
      'keydown ControlLeft ctrl',
      'keydown AltLeft ctrl+alt',
      'keydown Delete ctrl+alt',
      'keyup Delete ctrl+alt',
      'keyup AltLeft ctrl',
      'keyup ControlLeft',
    ]);
    expect(Object.keys(en.tools.chords)).toEqual(Object.keys(CHORDS));
  });

  it('lead to the tools by one chord alone, and not by a letter with AltGr', () => {
    const pressed = { code: 'KeyM', ctrlKey: true, altKey: true, shiftKey: true };
    const none = { getModifierState: () => false };
    expect(isToolsShortcut({ ...pressed, ...none })).toBe(true);
    expect(isToolsShortcut({ ...pressed, ...none, altKey: false })).toBe(false);
    const letter = { ...pressed, getModifierState: (key: string) => key === 'AltGraph' };
    expect(isToolsShortcut(letter)).toBe(false);
  });

  it('belong to the desktop in full screen, in Firefox and in Chromium', async () => {
    const asked: unknown[] = [];
    const firefox = {
      requestFullscreen: (options: { keyboardLock: string }) => {
        asked.push(options.keyboardLock);
        return Promise.resolve();
      },
    } as unknown as Element;
    expect(await enterFullScreen(firefox, {} as Navigator)).toBe(true);
    expect(asked).toEqual(['browser']);

    const chromium = { requestFullscreen: () => Promise.resolve() } as unknown as Element;
    const lock = vi.fn().mockResolvedValue(undefined);
    expect(await enterFullScreen(chromium, { keyboard: { lock } } as unknown as Navigator)).toBe(
      true,
    );
    expect(lock).toHaveBeenCalledWith();
    expect(await enterFullScreen(chromium, {} as Navigator)).toBe(false);
  });
});

describe('the bar', () => {
  it('does nothing in the first moment after it opened under the pointer', () => {
    expect(mayAct(1_000, { timeStamp: 1_000 + SAME_GESTURE_MS / 2, detail: 1 })).toBe(false);
    expect(mayAct(1_000, { timeStamp: 1_001 + SAME_GESTURE_MS, detail: 1 })).toBe(true);
    expect(mayAct(1_000, { timeStamp: 1_001, detail: 0 })).toBe(true);
  });
});

describe('a desktop that another window shows', () => {
  it.each([
    ['en', /shown in another window.*Use it here/],
    ['ko', /다른 창에 표시되고 있습니다.*여기에서 사용/],
  ] as ['en' | 'ko', RegExp][])('is said in %s', (language, words) => {
    const html = render(
      createElement(Elsewhere, { streamUrl: '/x/', display: 'primary', onUse: () => undefined }),
      language,
    );
    expect(html).toMatch(words);
  });
});

describe('the words of the tools', () => {
  const leaves = (words: unknown): unknown[] =>
    typeof words === 'object' && words ? Object.values(words).flatMap(leaves) : [words];
  it('are Korean, but for names of keys and techniques', () => {
    const names =
      /WebRTC|TURN|UDP|Ctrl|Alt|Del|Super|Windows|Tab|Print Screen|Esc|CPU|GPU|HTTPS|https|ms|Mbps|F11/g;
    for (const word of leaves(ko.tools).filter((word) => typeof word === 'string')) {
      expect((word as string).replace(names, '')).not.toMatch(/[A-Za-z]{2}/);
    }
    expect(leaves(ko.tools)).toHaveLength(leaves(en.tools).length);
  });
});

describe('a frame whose page is not ours any more', () => {
  /** A window that shows the client, and then, as after a proxy's error, a page of no origin. */
  function frameOf() {
    let foreign = false;
    const asOther = (): never => {
      throw new DOMException(
        'Blocked a frame from accessing a cross-origin frame.',
        'SecurityError',
      );
    };
    const page = { querySelector: () => ({}), getElementById: () => null };
    const own: Record<string, unknown> = {
      addEventListener: vi.fn(),
      removeEventListener: vi.fn(),
    };
    const frame = new Proxy(own, {
      get: (of, name) => {
        if (name === 'postMessage') {
          return () => undefined;
        }
        if (foreign) {
          return asOther();
        }
        return name === 'document' ? page : of[name as string];
      },
    }) as unknown as Window;
    return { frame, leave: () => (foreign = true) };
  }

  it('is left, driven and loaded again without a word', () => {
    vi.stubGlobal('window', {
      location: { origin: 'https://a' },
      addEventListener: vi.fn(),
      removeEventListener: vi.fn(),
    });
    vi.stubGlobal('document', { hidden: true });
    vi.stubGlobal(
      'MutationObserver',
      class {
        observe() {}
        disconnect() {}
      },
    );
    vi.stubGlobal('localStorage', { getItem: () => null, setItem: () => undefined });
    try {
      const { frame, leave } = frameOf();
      const host = new SelkiesHost(session({ host: 'selkies' }));
      host.attach(frame, 'Desktop');
      expect(host.getState().drivable).toBe(true);
      leave();
      expect(ownPage(frame)).toBeNull();
      host.press('super');
      host.attach(frame, 'Desktop');
      expect(host.getState().drivable).toBeNull();
      host.leave();
      const next = frameOf();
      host.attach(next.frame, 'Desktop');
      next.leave();
      host.leave();
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it('decides nothing for the page that is loaded next', () => {
    const host = new SelkiesHost(session({ host: 'selkies' }));
    const error = { document: { querySelector: () => null } } as unknown as Window;
    host.attach(error, 'Desktop');
    expect(host.getState().drivable).toBe(false);
    host.startAgain();
    expect(host.getState().drivable).toBeNull();
  });
});
