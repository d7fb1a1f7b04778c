const WITHIN_MS = 10_000;

/** Whether a WebSocket can be opened at this path of the page's own server; it is closed at once. */
export function opensWebSocket(path: string): Promise<boolean> {
  const url = new URL(path, window.location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    const timer = setTimeout(() => socket.close(), WITHIN_MS);
    socket.onopen = () => {
      resolve(true);
      socket.close();
    };
    // After an error too; of two words only the first is heard.
    socket.onclose = () => {
      clearTimeout(timer);
      resolve(false);
    };
  });
}
