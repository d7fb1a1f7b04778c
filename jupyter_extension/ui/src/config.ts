export interface PageSettings {
  /** The Jupyter server's base URL; begins and ends with a slash. */
  baseUrl: string;
  user: string;
  version: string;
  /** The Hub's page that starts this server again; null without a Hub. */
  hubStart: string | null;
  /** The job that the server itself runs in, null if it does not run in one. */
  job: string | null;
}

export function readSettings(source: Document): PageSettings {
  const text = source.getElementById('moonlight-config')?.textContent ?? '';
  try {
    return JSON.parse(text) as PageSettings;
  } catch {
    throw new Error(
      'The server sent this page without its settings. Open it through /moonlight/ of a Jupyter server.',
    );
  }
}
