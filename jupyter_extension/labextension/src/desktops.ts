import { ServerConnection } from '@jupyterlab/services';
import { Poll } from '@lumino/polling';
import { Signal, type ISignal } from '@lumino/signaling';

import { titleOf, type Desktop } from './desktop';
import type { Words } from './words';

const EVERY_MS = 15_000;
/** While something is on its way to another state, and somebody looks. */
const SOON_MS = 3_000;
const AT_MOST_MS = 120_000;

/**
 * The user's desktops that have not ended.
 *
 * They are asked for, and only while this page is seen: a tab of JupyterLab is open all day, and an
 * event stream of each would keep the server looking at the batch system all day too.
 */
export class Desktops {
  private known: readonly Desktop[] = [];
  private readonly changes = new Signal<this, void>(this);
  private readonly poll: Poll;

  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly words: Words,
  ) {
    this.poll = new Poll({
      name: 'moonlight-hpc:desktops',
      auto: false,
      standby: () => document.hidden,
      frequency: { interval: EVERY_MS, backoff: true, max: AT_MOST_MS },
      factory: () => this.ask(),
    });
  }

  /** Looks now and from now on, and at once whenever the page is seen again. */
  watch(): void {
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) {
        void this.poll.refresh();
      }
    });
    void this.poll.start();
  }

  get changed(): ISignal<this, void> {
    return this.changes;
  }

  /** Newest first. */
  get live(): readonly Desktop[] {
    return this.known;
  }

  get running(): readonly Desktop[] {
    return this.known.filter(({ status }) => status === 'running');
  }

  byId(id: unknown): Desktop | undefined {
    return this.known.find(({ session_id }) => session_id === id);
  }

  /** What a user calls it. */
  title = (desktop: Desktop): string => titleOf(desktop, this.known, this.words.tag);

  refresh = (): Promise<void> => this.poll.refresh();

  async stop(desktop: Desktop): Promise<void> {
    await this.call(`sessions/${encodeURIComponent(desktop.session_id)}`, 'DELETE');
    await this.refresh();
  }

  private async ask(): Promise<void> {
    const { sessions } = (await this.call('sessions?live=true')) as { sessions: Desktop[] };
    const newestFirst = [...sessions].sort(
      (a, b) => Date.parse(b.created_at) - Date.parse(a.created_at),
    );
    const moves = sessions.some(({ status }) => status === 'starting' || status === 'stopping');
    const interval = moves ? SOON_MS : EVERY_MS;
    if (this.poll.frequency.interval !== interval) {
      this.poll.frequency = { ...this.poll.frequency, interval };
    }
    if (JSON.stringify(this.known.map(shown)) !== JSON.stringify(newestFirst.map(shown))) {
      this.known = newestFirst;
      this.changes.emit();
    }
  }

  private async call(path: string, method = 'GET'): Promise<unknown> {
    const url = `${this.settings.baseUrl}api/moonlight/${path}`;
    const answer = await ServerConnection.makeRequest(url, { method }, this.settings);
    if (!answer.ok) {
      throw await ServerConnection.ResponseError.create(answer);
    }
    return answer.json();
  }
}

/** Of a desktop only what is shown here: its other facts change all the time. */
const shown = ({ session_id, name, image_name, status, node, web_url }: Desktop): unknown[] => [
  session_id,
  name,
  image_name,
  status,
  node,
  web_url,
];
