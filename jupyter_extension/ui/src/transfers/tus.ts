import { ApiError } from '../api/errors';
import { refusalOf } from './folders';

/** tus 1.0 (tus.io), as far as the gateway speaks it. */
const TUS = { 'Tus-Resumable': '1.0.0' };
/** Nothing has moved for so long: the connection is dead, and nobody has said so. */
const STALLED_MS = 60_000;

export interface Sent {
  /** How many bytes are there. */
  offset: number;
  /** Its address, as soon as all of it is there; a name that is taken gets a number. */
  at: string | null;
}

export interface Created extends Sent {
  url: string;
}

interface Call {
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: Blob;
  signal: AbortSignal;
  onProgress?: (bytes: number) => void;
}

/** Begins an upload, or finds what has come of it before. */
export async function create(
  root: string,
  about: { folder: string; name: string; size: number; mark: string },
  signal: AbortSignal,
): Promise<Created> {
  const { folder, name, size, mark } = about;
  const metadata = Object.entries({ filename: name, folder, mark })
    .map(([key, value]) => `${key} ${base64(value)}`)
    .join(',');
  const url = `${root}uploads`;
  const answer = await call({
    method: 'POST',
    url,
    headers: { ...TUS, 'Upload-Length': String(size), 'Upload-Metadata': metadata },
    signal,
  });
  const id = (answer.getResponseHeader('Location') ?? '').split('/').pop() ?? '';
  return { url: `${url}/${id}`, ...sentOf(answer) };
}

/** Null: this upload is not known any more. */
export async function look(url: string, signal: AbortSignal): Promise<Sent | null> {
  try {
    return sentOf(await call({ method: 'HEAD', url, headers: TUS, signal }));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) {
      return null;
    }
    throw error;
  }
}

export async function send(
  url: string,
  offset: number,
  body: Blob,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<Sent> {
  const headers = {
    ...TUS,
    'Upload-Offset': String(offset),
    'Content-Type': 'application/offset+octet-stream',
  };
  return sentOf(await call({ method: 'PATCH', url, headers, body, signal, onProgress }));
}

export async function discard(url: string): Promise<void> {
  const { signal } = new AbortController();
  await call({ method: 'DELETE', url, headers: TUS, signal });
}

function sentOf(answer: XMLHttpRequest): Sent {
  const offset = Number(answer.getResponseHeader('Upload-Offset') ?? NaN);
  if (!Number.isSafeInteger(offset)) {
    // A login page that a proxy has led to, for one.
    throw new ApiError('bad_answer', answer.status, '', '');
  }
  return { offset, at: answer.getResponseHeader('Moonlight-File') };
}

/** `fetch` does not say how much of a body it has sent. */
function call(asked: Call): Promise<XMLHttpRequest> {
  const { method, url, headers, body, signal, onProgress } = asked;
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let timer = setTimeout(() => undefined, 0);
    const moved = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => request.abort(), STALLED_MS);
    };
    const stop = (): void => request.abort();
    signal.addEventListener('abort', stop);
    request.open(method, url);
    Object.entries({ Accept: 'application/json', ...headers }).forEach(([name, value]) =>
      request.setRequestHeader(name, value),
    );
    request.upload.onprogress = ({ loaded }) => {
      moved();
      onProgress?.(loaded);
    };
    request.onloadend = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      const { status, responseText } = request;
      if (status === 0) {
        reject(new ApiError('network', 0, '', ''));
      } else if (status >= 200 && status < 300) {
        resolve(request);
      } else {
        reject(refusalOf(status, responseText));
      }
    };
    moved();
    request.send(body);
  });
}

export function base64(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}
