import { useEffect, useRef, useState } from 'react';

import { newsIn, type Joined, type Over } from './joined';
import type { Role } from './sharing';

const AGAIN_MS = 2_000;

/** What a guest may do now, as the owner's node says it, and whether that is heard. */
export function useNews(
  address: string,
  { ticket, role: first }: Joined,
  onOver: (why: Over) => void,
): { role: Role; reached: boolean } {
  const [role, setRole] = useState(first);
  const [reached, setReached] = useState(true);
  const tell = useRef(onOver);
  tell.current = onOver;

  useEffect(() => {
    const url = new URL(`${address}news`, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    let socket: WebSocket;
    let timer: ReturnType<typeof setTimeout>;
    let over = false;
    const listen = (): void => {
      socket = new WebSocket(url, ['moonlight-page', `moonlight-page.${ticket}`]);
      socket.onmessage = ({ data }) => {
        const news = newsIn(data);
        setReached(true);
        if (news.over) {
          over = true;
          tell.current(news.over);
        } else if (news.role) {
          setRole(news.role);
        }
      };
      socket.onclose = () => {
        if (!over) {
          setReached(false);
          timer = setTimeout(listen, AGAIN_MS);
        }
      };
    };
    listen();
    return () => {
      over = true;
      clearTimeout(timer);
      socket.close();
    };
  }, [address, ticket]);
  return { role, reached };
}
