import type { Session } from '../../api/types';
import { SAMPLE_EVERY_MS, withSample, type Path, type Sample } from './connection';
import { strokesOf, type Chord } from './keys';
import type { Display } from '../secondWindow';
import { ownPage } from './ownPage';
import { keepScreen, pixelsOf, screenOf, type ScreenSize } from './screen';
import { bitrateOf, keepWishes, rateOf, readWishes, type Wishes } from './wishes';

/** The page of the gateway that has selkies' picture and input without its own panel. */
export const PAGE = 'core.html';
/** That page says in a `meta` of this name that it is the one. */
export const MARK = 'moonlight-client';
/** And in one of this name how the picture comes: `fallback` is the WebSocket since WebRTC did not come through. */
const TRANSPORT = 'moonlight-transport';
const SCREEN = 'overlayInput';
const WORDS = 'status-display';
const TOUCH_KEYBOARD = 'keyboard-input-assist';

export interface SelkiesState {
  /** Its client runs in the frame and can be driven; null while that is not known. */
  drivable: boolean | null;
  /** The picture has gone to another window. */
  elsewhere: boolean;
  /** The desktop cannot be made large enough for this second screen. */
  noRoom: boolean;
  /** It can have a second screen. */
  extends: boolean;
  wishes: Wishes;
  size: ScreenSize;
  samples: readonly Sample[];
  path: Path | null;
  /** WebRTC was to bring the picture and did not come through. */
  fellBack: boolean;
}

type Message = Record<string, unknown> & { type?: unknown };

/**
 * Drives selkies' client in its frame by the messages that it takes from the page around it
 * (selkies 2.1.0, `selkies-core.js`), and hears what it says.
 */
export class SelkiesHost {
  private state: SelkiesState;
  private listeners = new Set<() => void>();
  private frame: Window | null = null;
  private detach = (): void => undefined;

  constructor(
    private readonly session: Session,
    private readonly display: Display = 'primary',
  ) {
    this.state = {
      drivable: null,
      elsewhere: false,
      noRoom: false,
      extends: true,
      wishes: readWishes(),
      size: this.first ? screenOf(session) : 'window',
      samples: [],
      path: null,
      fellBack: false,
    };
  }

  /** Its page for this screen. */
  get page(): string {
    return this.first ? PAGE : `${PAGE}#${this.display}-right`;
  }

  private get first(): boolean {
    return this.display === 'primary';
  }

  getState = (): SelkiesState => this.state;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** A page was loaded into the frame; its name for who cannot see it. */
  attach(frame: Window, name: string): void {
    this.detach();
    const page = ownPage(frame);
    if (!page) {
      this.set({ drivable: null });
      return;
    }
    if (!page.querySelector(`meta[name="${MARK}"]`)) {
      this.set({ drivable: false });
      return;
    }
    this.frame = frame;
    const words = page.getElementById(WORDS);
    const watched = new MutationObserver(() => this.read(words?.textContent ?? ''));
    if (words) {
      watched.observe(words, { childList: true, characterData: true, subtree: true });
    }
    page.getElementById(SCREEN)?.setAttribute('aria-label', name);
    // It has no name and is not seen: nobody who comes by Tab is to land there.
    page.getElementById(TOUCH_KEYBOARD)?.setAttribute('tabindex', '-1');
    // It answers its own window, and this one when it is asked for figures.
    frame.addEventListener('message', this.hear);
    window.addEventListener('message', this.hear);
    const asking = setInterval(this.ask, SAMPLE_EVERY_MS);
    this.detach = () => {
      watched.disconnect();
      clearInterval(asking);
      if (ownPage(frame) === page) {
        frame.removeEventListener('message', this.hear);
      }
      window.removeEventListener('message', this.hear);
      this.frame = null;
      this.detach = () => undefined;
    };
    const transport = page.querySelector<HTMLMetaElement>(`meta[name="${TRANSPORT}"]`)?.content;
    const fellBack = transport === 'fallback';
    this.set({
      drivable: true,
      elsewhere: false,
      noRoom: false,
      samples: [],
      path: null,
      fellBack,
    });
    this.applySize();
    this.apply();
    this.say({ type: 'statsOpen', open: true });
  }

  leave = (): void => this.detach();

  /** The frame is loaded anew: what was in it last says nothing about what comes now. */
  startAgain = (): void => {
    if (this.state.drivable === false) {
      this.set({ drivable: null });
    }
  };

  /** The picture is wanted in this window again: its page is loaded anew. */
  comeBack = (): void => this.set({ elsewhere: false, noRoom: false });

  wish(changes: Partial<Wishes>): void {
    const wishes = { ...this.state.wishes, ...changes };
    keepWishes(wishes);
    this.set({ wishes });
    this.apply();
  }

  resize(size: ScreenSize): void {
    keepScreen(this.session.session_id, size);
    this.set({ size });
    this.applySize();
  }

  press(chord: Chord): void {
    const { frame } = this;
    const screen = frame && ownPage(frame)?.getElementById(SCREEN);
    if (!frame || !screen) {
      return;
    }
    // Events of the frame's own kind, or its handlers would not know them.
    const { KeyboardEvent: Key } = frame as Window & typeof globalThis;
    for (const { type, init } of strokesOf(chord)) {
      screen.dispatchEvent(new Key(type, init));
    }
  }

  showKeyboard = (): void => this.say({ type: 'showVirtualKeyboard' });

  private apply(): void {
    const { wishes } = this.state;
    const { request } = this.session;
    this.say({
      type: 'settings',
      settings: {
        video_bitrate: bitrateOf(wishes.quality, request),
        framerate: rateOf(wishes, request),
        // All keys belong to the desktop; what these opened is no longer there.
        keyboard_shortcuts: false,
      },
    });
    this.say({ type: 'setScaleLocally', value: wishes.fit });
    this.say({ type: 'setUseCssScaling', value: !wishes.dense });
    this.say({ type: wishes.trackpad ? 'touchinput:trackpad' : 'touchinput:touch' });
    if (this.session.audio && this.first) {
      this.say({ type: 'pipelineControl', pipeline: 'audio', enabled: wishes.sound });
      this.say({ type: 'setVolume', value: wishes.volume });
    }
  }

  private applySize(): void {
    const { size } = this.state;
    this.say(
      size === 'window'
        ? { type: 'resetResolutionToWindow' }
        : { type: 'setManualResolution', ...pixelsOf(size) },
    );
  }

  private ask = (): void => {
    if (document.hidden) {
      return;
    }
    this.say({ type: 'getStats' });
    if (this.session.audio && this.first && this.state.wishes.volume !== 1) {
      // Until the first sound there is nothing that has a volume, and it is not told when that comes.
      this.say({ type: 'setVolume', value: this.state.wishes.volume });
    }
  };

  private say(message: Message): void {
    this.frame?.postMessage(message, window.location.origin);
  }

  private hear = (event: MessageEvent): void => {
    if (!isFrom(event, this.frame, window.location.origin)) {
      return;
    }
    const { type, data, payload } = (event.data ?? {}) as Message;
    if (type === 'stats') {
      const path = pathOf(data);
      this.set({ samples: withSample(this.state.samples, sampleOf(data)), path });
    } else if (type === 'serverSettings') {
      this.set({ extends: part(payload, 'second_screen').value !== false });
    }
  };

  private read(words: string): void {
    if (saysElsewhere(words)) {
      this.detach();
      this.set({ elsewhere: true, drivable: null });
    } else if (!this.first && saysNoRoom(words)) {
      this.detach();
      this.set({ noRoom: true, drivable: null });
    }
  }

  private set(changes: Partial<SelkiesState>): void {
    this.state = { ...this.state, ...changes };
    this.listeners.forEach((listener) => listener());
  }
}

/** Whether it is the client in our own frame that says this, and no other page. */
export const isFrom = (
  { origin, source }: Pick<MessageEvent, 'origin' | 'source'>,
  frame: unknown,
  ours: string,
): boolean => origin === ours && source !== null && source === frame;

/** By a line over its picture it says, in English alone, that another window has that now. */
export const saysElsewhere = (words: string): boolean =>
  /client connected connection killed|superseded|opened elsewhere|another page holds/i.test(words);

/** And that there can be no second screen, or none of that size. */
export const saysNoRoom = (words: string): boolean =>
  /cannot extend the desktop|second (screen|display)/i.test(words);

type Figures = Record<string, unknown>;

const part = (of: unknown, name: string): Figures =>
  ((of as Figures | undefined)?.[name] as Figures | undefined) ?? {};

const number = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The figures of one moment out of its `stats` message. */
export function sampleOf(data: unknown, at = Date.now()): Sample {
  const latest = part(data, 'latest');
  return {
    at,
    fps: number(latest.fps) ?? number((data as Figures).clientFps),
    // It says zero as long as it has not measured any.
    roundTrip: number(latest.rtt_ms) || null,
    node: number(latest.send_ms) ?? number(latest.pipeline_ms),
    here: number(latest.present_ms),
    mbps: number(latest.mbps),
    cpu: number(latest.cpu_percent),
  };
}

export function pathOf(data: unknown): Path {
  const info = part(data, 'info');
  const client = part(data, 'client');
  const words = [text(info.encoder), text(info.codec)].filter(Boolean);
  return {
    encoder: [...new Set(words)].join(' '),
    gpuEncodes: typeof info.hardware === 'boolean' ? info.hardware : null,
    gpuExpected: info.hardware_expected === true,
    transport: text(client.transport),
    relayed: text(client.path).startsWith('relay'),
    decoder: text(client.decoder),
    size: text(client.resolution),
    poor: client.connection === 'poor',
  };
}

/** Whether no window at all has the picture of that screen now. */
export async function isFree(streamUrl: string, display: Display): Promise<boolean> {
  const answer = await fetch(`${streamUrl}api/sessions`, { cache: 'no-store', redirect: 'manual' });
  const { sessions } = (await answer.json()) as { sessions?: unknown };
  return (
    Array.isArray(sessions) &&
    sessions.every((one: { display?: unknown }) => (one.display ?? 'primary') !== display)
  );
}
