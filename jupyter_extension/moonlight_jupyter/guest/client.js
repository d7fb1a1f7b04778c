// The host's client as a guest has it, in a frame of no origin: what the owner's gateway sends may deceive the
// client, and reaches no further than this picture. The page around it says by which ticket its
// stream opens and what its guest may do; what he may is decided at the owner's gateway.
const LEAVE = 'KeyM'; // with Control, Alt and Shift, as in the owner's own viewer
let role = '';
let begun = false;

// A page of no origin has none of these, and the client keeps its wishes there.
const store = () => {
  const kept = new Map();
  return {
    getItem: (name) => kept.get(String(name)) ?? null,
    setItem: (name, value) => void kept.set(String(name), String(value)),
    removeItem: (name) => void kept.delete(String(name)),
    clear: () => kept.clear(),
    key: (at) => [...kept.keys()][at] ?? null,
    get length() {
      return kept.size;
    },
  };
};
for (const name of ['localStorage', 'sessionStorage']) {
  Object.defineProperty(self, name, { value: store() });
}
Object.defineProperty(document, 'cookie', { value: '', writable: true });
self.__SELKIES_STREAMING_MODE__ = 'websockets';

const fit = () => {
  const overlay = document.getElementById('overlayInput');
  overlay?.setAttribute('aria-label', document.title);
  // It has no name and is not seen: nobody who comes by Tab is to land there.
  document.getElementById('keyboard-input-assist')?.setAttribute('tabindex', '-1');
  const input = self.webrtcInput;
  if (!input?.isInputAttached) return;
  if (role === 'control' && !input.isInputAttached()) {
    input.attach_context();
    overlay?.focus();
  } else if (role === 'view' && input.isInputAttached()) {
    input.detach_context();
  }
};

const begin = (ticket) => {
  begun = true;
  const shown = document.createElement('meta');
  shown.name = 'moonlight-page';
  shown.content = ticket;
  shown.dataset.framed = '';
  const gate = document.createElement('script');
  gate.src = 'gate.js';
  gate.onload = () => {
    const client = document.createElement('script');
    client.type = 'module';
    client.src = 'src/selkies-core.js';
    document.body.append(client);
    setInterval(fit, 300); // the client makes its input anew whenever it has connected again
  };
  document.head.append(shown, gate);
};

self.addEventListener('message', ({ source, data }) => {
  if (source !== parent || parent === self || data?.type !== 'moonlight:guest') return;
  ({ role } = data);
  document.title = data.title;
  document.documentElement.lang = data.language;
  if (!begun) begin(data.ticket);
  fit();
});
self.addEventListener(
  'keydown',
  (event) => {
    if (event.code !== LEAVE || !event.ctrlKey || !event.altKey || !event.shiftKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    parent.postMessage({ type: 'moonlight:leave' }, '*');
  },
  { capture: true },
);
parent.postMessage({ type: 'moonlight:ready' }, '*');
