import type { Role } from './sharing/sharing';

export interface PageSettings {
  /** The Jupyter server's base URL, or the page's own folder; begins and ends with a slash. */
  baseUrl: string;
  user: string;
  version: string;
  /** The Hub's page that starts this server again; null without a Hub. */
  hubStart: string | null;
  /** The job that the server itself runs in, null if it does not run in one. */
  job: string | null;
  /** The one session that the server of this page has; null where it has all of the user's. */
  only: string | null;
  /** What such a server can do for its session besides showing and stopping it. */
  can: readonly ('launch' | 'logs')[];
  /** The most that who has the desktop may give others whom he invites; null: he cannot invite here. */
  sharing: Role | null;
  /** Where everybody comes to the page for guests of his own server; null where there is no such address. */
  joinUrl: string | null;
  /** Bytes of the largest file that what stands before this server lets through; null: any. */
  largestDownload: number | null;
  /** Whether guests are users of this very portal, who are invited by their names there. */
  members: boolean;
}

const ELSEWHERE = {
  hubStart: null,
  job: null,
  only: null,
  can: ['launch', 'logs'] as const,
  sharing: null,
  joinUrl: null,
  largestDownload: null,
  members: false,
};

/** What the server says; one that cannot know its own address leaves that to the page. */
export function readSettings(source: Document, address: string): PageSettings {
  const text = source.getElementById('moonlight-config')?.textContent ?? '';
  const baseUrl = new URL('.', address).pathname;
  try {
    const said = JSON.parse(text) as Partial<PageSettings>;
    const { only = null, user = '', version = '' } = said;
    return { baseUrl, user, version, ...ELSEWHERE, ...(only ? { can: [] } : {}), ...said };
  } catch {
    throw new Error(
      'The server sent this page without its settings. Open it through /moonlight/ of a Jupyter server.',
    );
  }
}
