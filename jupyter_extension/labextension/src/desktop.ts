/** What is used here of a session; docs/api.md describes all of it. */
export interface Desktop {
  session_id: string;
  image_name: string;
  /** In other languages, by their tags. */
  image_names?: Record<string, string>;
  /** Older servers know no names. */
  name?: string | null;
  status: 'pending' | 'starting' | 'running' | 'stopping';
  node: string | null;
  web_url: string;
  created_at: string;
  way?: string;
}

/** What a user calls a desktop; with its place and time where several are called the same. */
export function titleOf(desktop: Desktop, all: readonly Desktop[], language: string): string {
  const plain = ({ name, image_name, image_names }: Desktop): string =>
    name || image_names?.[language] || image_name;
  if (all.filter((other) => plain(other) === plain(desktop)).length < 2) {
    return plain(desktop);
  }
  const time = new Date(desktop.created_at).toLocaleTimeString(language, {
    hour: '2-digit',
    minute: '2-digit',
  });
  return `${plain(desktop)} (${[desktop.node, time].filter(Boolean).join(', ')})`;
}
