export interface PageSettings {
  /** The Jupyter server's base URL; begins and ends with a slash. */
  baseUrl: string;
  user: string;
  version: string;
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
