import type { Session } from '../../api/types';
import { splitSize } from '../../launch/form';
import { readStored, writeStored } from '../../parts/storage';

/** A screen that follows the window, or its fixed size: `1280x720`. */
export type ScreenSize = 'window' | string;

const storedAs = (id: string): string => `moonlight:screen:${id}`;

const isSize = (text: unknown): text is ScreenSize =>
  text === 'window' || (typeof text === 'string' && /^[1-9]\d{2,4}x[1-9]\d{2,4}$/.test(text));

/** What was chosen in this browser while it runs, else what was asked for at the launch. */
export function screenOf({
  session_id,
  request,
}: Pick<Session, 'session_id' | 'request'>): ScreenSize {
  const chosen = readStored(storedAs(session_id));
  if (isSize(chosen)) {
    return chosen;
  }
  return request.follow_window === false ? request.resolution : 'window';
}

export const keepScreen = (id: string, size: ScreenSize): void => writeStored(storedAs(id), size);

export function pixelsOf(size: string): { width: number; height: number } {
  const { width, height } = splitSize(size);
  return { width: Number(width), height: Number(height) };
}
