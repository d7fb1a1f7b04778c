import type { Session } from '../api/types';

/** The server takes a new one no sooner. */
export const EVERY_MS = 30_000;

export interface Picture {
  blob: Blob;
  /** By which the server can say that it is still the same. */
  etag: string;
}

/** What is to be on a card: a picture, that its user has hidden it, or nothing. */
export type PictureState = 'shown' | 'hidden' | 'off';

/** A server that says nothing, or something new, has none; nor has a desktop that does not run. */
export const stateOf = ({ picture, status }: Pick<Session, 'picture' | 'status'>): PictureState =>
  status === 'running' && (picture === 'shown' || picture === 'hidden') ? picture : 'off';

/** An answer's picture, null if it is still the known one; what is none is read as any refusal. */
export async function readPicture(
  answer: Response,
  refusal: (answer: Response) => Promise<never>,
): Promise<Picture | null> {
  if (answer.status === 304) {
    return null;
  }
  const isPicture = answer.headers.get('Content-Type') === 'image/jpeg';
  if (!answer.ok || !isPicture) {
    return await refusal(answer);
  }
  return { blob: await answer.blob(), etag: answer.headers.get('ETag') ?? '' };
}
