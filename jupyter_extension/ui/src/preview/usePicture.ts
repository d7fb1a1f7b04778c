import { useEffect, useState } from 'react';

import { asApiError } from '../api/errors';
import { usePortal } from '../sessions/Portal';
import { EVERY_MS, type Picture } from './picture';

/**
 * The address of the newest picture while `wanted`, empty where there is none yet or any more. It is
 * asked for while this page is in front of somebody, and is in the page's memory alone.
 */
export function usePicture(sessionId: string, wanted: boolean): string {
  const { client } = usePortal();
  const [url, setUrl] = useState('');
  useEffect(() => {
    if (!wanted) {
      return;
    }
    let known: Picture | null = null;
    let shown = '';
    let over = false;
    let askedAt = -EVERY_MS;
    const show = (picture: Picture | null): void => {
      known = picture;
      URL.revokeObjectURL(shown);
      shown = picture ? URL.createObjectURL(picture.blob) : '';
      setUrl(shown);
    };
    const look = async (): Promise<void> => {
      if (document.visibilityState !== 'visible') {
        return;
      }
      askedAt = performance.now();
      try {
        const picture = await client.picture(sessionId, known?.etag);
        if (picture && !over) {
          show(picture);
        }
      } catch (cause) {
        // What a break leaves is old, and better than nothing; what is refused is not to be seen.
        const { status } = asApiError(cause);
        if (!over && status >= 400 && status < 500) {
          show(null);
        }
      }
    };
    const ask = (): void => void look();
    const come = (): void => {
      if (performance.now() - askedAt >= EVERY_MS) {
        ask();
      }
    };
    come();
    const timer = setInterval(ask, EVERY_MS);
    document.addEventListener('visibilitychange', come);
    return () => {
      over = true;
      clearInterval(timer);
      document.removeEventListener('visibilitychange', come);
      show(null);
    };
  }, [client, sessionId, wanted]);
  return url;
}
