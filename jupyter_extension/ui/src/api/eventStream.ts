import { retryAfterMs } from './errors';

/** One server-sent event: its name and its data. */
export type ServerEvent = (name: string, data: string) => void;

/**
 * Reads server-sent events by `fetch`. An EventSource can send no header, and a Hub's server answers
 * no GET of a page without the XSRF token in one.
 *
 * `broken` is called once, unless the returned function was called before: when the stream ends, is
 * refused, or is answered with something else, such as a login page; with how long the server wants to
 * be left alone first. It is not opened again here.
 */
export function readEvents(
  url: string,
  headers: Record<string, string>,
  event: ServerEvent,
  broken: (afterMs: number) => void,
): () => void {
  const abort = new AbortController();
  let afterMs = 0;
  const read = async (): Promise<void> => {
    const answer = await fetch(url, {
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'manual',
      headers: { Accept: 'text/event-stream', ...headers },
      signal: abort.signal,
    });
    const kind = answer.headers.get('Content-Type') ?? '';
    afterMs = retryAfterMs(answer.headers.get('Retry-After'));
    if (!answer.ok || !answer.body || !kind.startsWith('text/event-stream')) {
      return;
    }
    const parse = eventParser(event);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (abort.signal.aborted) {
        return;
      }
      parse(part.value);
    }
  };
  const ended = (): void => {
    if (!abort.signal.aborted) {
      abort.abort(); // an answer that was not read on holds a connection
      broken(afterMs);
    }
  };
  read().then(ended, ended);
  return () => abort.abort();
}

/**
 * Takes the parts of a stream as they come and tells its events (HTML, "Interpreting an event
 * stream"); ids and `retry` are passed over, comments too.
 */
export function eventParser(event: ServerEvent): (part: string) => void {
  let rest = '';
  let name = '';
  let data: string[] = [];
  const line = (text: string): void => {
    if (text === '') {
      if (data.length > 0) {
        event(name || 'message', data.join('\n'));
      }
      name = '';
      data = [];
      return;
    }
    const colon = text.indexOf(':');
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? '' : text.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') {
      name = value;
    } else if (field === 'data') {
      data.push(value);
    }
  };
  return (part) => {
    const lines = (rest + part).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    lines.forEach(line);
  };
}
