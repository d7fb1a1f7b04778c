// The page's own token, for a door whose cookie pages of other users are sent with too (Open
// OnDemand's /node is one origin for all). The gateway puts the token into the page that a navigation
// gets, and nowhere else; from here it goes with what the page opens and asks for, in memory only. The
// host's page in a frame of it, which comes without one, has it from here.
(() => {
  const meta = document.querySelector('meta[name="moonlight-page"]');
  const base = new URL('.', document.currentScript.src);
  document.currentScript.remove();
  const handedOn = Symbol.for('moonlight-page');
  const around = () => {
    try {
      return self.parent === self ? '' : self.parent[handedOn]?.(self);
    } catch {
      return ''; // a page of another origin
    }
  };
  const token = meta?.content ?? around();
  const alone = meta && !('framed' in meta.dataset); // or the page around it hears of the end
  meta?.remove();
  if (!token) return;

  // In a worker too, so of its surroundings it knows only what it is given.
  const install = (token, host, path) => {
    const header = 'X-Moonlight-Page';
    const isOurs = (address) => {
      try {
        const base = self.document ? document.baseURI : undefined;
        const url = new URL(address, base);
        return url.host === host && url.pathname.startsWith(path);
      } catch {
        return false;
      }
    };
    self.WebSocket = new Proxy(self.WebSocket, {
      construct(target, [url, protocols = [], ...more], newTarget) {
        const own = isOurs(url) ? ['moonlight-page', `moonlight-page.${token}`] : [];
        return Reflect.construct(target, [url, [protocols, own].flat(), ...more], newTarget);
      },
    });
    const { fetch } = self;
    self.fetch = (input, init) => {
      const request = input instanceof Request ? input : null;
      if (!isOurs(request ? request.url : input)) return fetch(input, init);
      const headers = new Headers(init?.headers ?? request?.headers);
      headers.set(header, token);
      return fetch(input, { ...init, headers });
    };
    const { open } = self.XMLHttpRequest.prototype;
    self.XMLHttpRequest.prototype.open = function (...words) {
      open.apply(this, words);
      if (isOurs(words[1])) this.setRequestHeader(header, token);
    };
  };
  install(token, base.host, base.pathname);
  const isBelow = ({ host, pathname }) => host === base.host && pathname.startsWith(base.pathname);
  Object.defineProperty(self, handedOn, {
    value: (frame) => (frame.parent === self && isBelow(frame.location) ? token : ''),
  });

  // How the session ended: told to the viewer, else in the place of the page, because afterwards
  // nobody is left there to say it.
  const end = new URL('end', base);
  end.protocol = end.protocol.replace('http', 'ws');
  const listen = (pause) => {
    const socket = new self.WebSocket(end);
    let opened = Infinity;
    socket.onopen = () => {
      opened = performance.now();
    };
    socket.onmessage = ({ data }) => {
      // A gateway that runs since before an update says the page alone.
      const { page, session } = data.startsWith('{') ? JSON.parse(data) : { page: data };
      const told = new CustomEvent('moonlight:ended', { detail: session, cancelable: true });
      if (!self.dispatchEvent(told)) return;
      const shown = new Blob([page], { type: 'text/html;charset=utf-8' });
      location.replace(createObjectURL.call(URL, shown));
    };
    socket.onclose = () => {
      // At once after one that a proxy has ended: what is said meanwhile is not said again.
      const lasted = performance.now() - opened > 5000;
      const next = opened < Infinity ? 2 : Math.min(2 * pause, 60);
      setTimeout(() => listen(next), lasted ? 0 : 1000 * next);
    };
  };

  // A worker that is made of a text gets the same in front of it.
  const words = [token, base.host, base.pathname].map((word) => JSON.stringify(word)).join();
  const before = `(${install})(${words});\n`;
  const texts = new Map();
  const { createObjectURL, revokeObjectURL } = URL;
  URL.createObjectURL = (object) => {
    const url = createObjectURL.call(URL, object);
    if (object instanceof Blob && object.type.includes('javascript')) texts.set(url, object);
    return url;
  };
  URL.revokeObjectURL = (url) => {
    texts.delete(String(url));
    revokeObjectURL.call(URL, url);
  };
  self.Worker = new Proxy(self.Worker, {
    construct(target, [url, ...more], newTarget) {
      const text = texts.get(String(url));
      if (!text) return Reflect.construct(target, [url, ...more], newTarget);
      const whole = createObjectURL.call(URL, new Blob([before, text], { type: text.type }));
      try {
        return Reflect.construct(target, [whole, ...more], newTarget);
      } finally {
        revokeObjectURL.call(URL, whole);
      }
    },
  });

  if (alone) listen(2);
})();
